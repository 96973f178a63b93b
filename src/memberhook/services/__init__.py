"""Use cases of the owner: what the command line, the console and management commands all call.

May import core, models, crms, sites and engine.
"""
