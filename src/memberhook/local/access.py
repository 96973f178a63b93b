"""Names that host projects import from here; see `memberhook.members_area.access`."""

from memberhook.members_area.access import (
    RoleRequiredMixin,
    TagRequiredMixin,
    has_role,
    has_tag,
    role_required,
    tag_required,
)

__all__ = ["RoleRequiredMixin", "TagRequiredMixin", "has_role", "has_tag", "role_required", "tag_required"]
