"""Names that host projects import from here; see `memberhook.signals`."""

from memberhook.signals import member_changed, member_created, tags_applied, tags_removed

__all__ = ["member_changed", "member_created", "tags_applied", "tags_removed"]
