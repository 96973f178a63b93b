"""Names that host projects import from here; see `memberhook.intake.asgi`."""

from memberhook.intake.asgi import application

__all__ = ["application"]
