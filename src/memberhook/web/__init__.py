"""The web process: a lean ASGI application for the hook addresses in front of Django's for everything else."""
