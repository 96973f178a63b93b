"""Management commands: `manage.py memberhook …` is the command line of `cli`. May import cli alone."""
