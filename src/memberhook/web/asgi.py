"""Kept for host projects: see `memberhook.intake.asgi`."""

from memberhook.intake.asgi import application

__all__ = ["application"]
