"""The console: Django's admin, for the owner of a membership site. Thin callers of the same functions as the CLI.

May import anything but cli, intake and server.
"""
