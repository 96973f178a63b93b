"""What an owner can do, as functions that the command line, the console and management commands call.

May import core, models, crms, sites and engine.
"""
