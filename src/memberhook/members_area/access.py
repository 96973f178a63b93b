"""Who may see what, for the code of a host project: ask for tags and roles, guard views with them.

Tags and roles are facts: `has_tag` and `has_role` tell the truth about everybody. Guards let superusers pass as well,
so that owners can look at their own pages; being staff opens nothing.

A user object remembers its tags and roles, so a request costs one query for each at most. `user.refresh_from_db()`
makes it forget.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from asgiref.sync import iscoroutinefunction, sync_to_async
from django.contrib.auth.models import Group
from django.contrib.auth.views import redirect_to_login
from django.db.models import Prefetch, prefetch_related_objects
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render

from memberhook import conf
from memberhook.models.connections import Connection
from memberhook.models.members import MemberTag
from memberhook.models.tags import Tag
from memberhook.sites.local.group_roles import slug_and_title

if TYPE_CHECKING:
    from django.views.generic.base import View as _View
else:
    _View = object

View = TypeVar("View", bound=Callable[..., Any])


def has_tag(user: Any, tag: str | int, *, connection: Connection | str | None = None) -> bool:
    """Whether the member has the tag, given by its slug or title in any case, or by the CRM's id.

    `connection` (or its name) asks for a tag of that CRM account only. Superusers have no tags but their own.
    """
    return any(_is(row, tag) and _is_of(row, connection) for row in tags_of(user))


def has_role(user: Any, role: str) -> bool:
    """Whether the member has the role, given by its slug or title in any case."""
    name = role.strip().lower()
    return any(name in (slug.lower(), title.lower()) for slug, title in _roles(user))


def tags_of(user: Any) -> list[Tag]:
    """The rows of the member's tags, of all connections; nobody's where nobody is logged in."""
    if not getattr(user, "is_authenticated", False):
        return []
    rows = MemberTag.objects.select_related("tag__connection")
    prefetch_related_objects([user], Prefetch("memberhook_tags", rows))
    return [row.tag for row in user.memberhook_tags.all()]


def role_titles(user: Any) -> list[str]:
    return sorted(title for _, title in _roles(user))


def _roles(user: Any) -> list[tuple[str, str]]:
    if not getattr(user, "is_authenticated", False):
        return []
    prefetch_related_objects([user], Prefetch("groups", Group.objects.select_related("memberhook_role")))
    return [slug_and_title(group) for group in user.groups.all()]


def _is(row: Tag, tag: str | int) -> bool:
    name = str(tag).strip()
    return name != "" and (name == row.crm_id or name.lower() in (row.slug.lower(), row.title.lower()))


def _is_of(row: Tag, connection: Connection | str | None) -> bool:
    if isinstance(connection, str):
        return row.connection.name == connection
    return connection is None or row.connection_id == connection.pk


@dataclass(frozen=True, slots=True)
class _Need:
    """What opens a page: any of the names."""

    kind: str
    names: tuple[str | int, ...]
    connection: Connection | str | None = None

    def __post_init__(self) -> None:
        if not self.names or not all(isinstance(name, str | int) for name in self.names):
            raise TypeError(f'Name the {self.kind}s that open this view, like @{self.kind}_required("gold").')

    def is_met_by(self, user: Any) -> bool:
        if getattr(user, "is_superuser", False):
            return True
        if self.kind == "role":
            return any(has_role(user, str(name)) for name in self.names)
        return any(has_tag(user, name, connection=self.connection) for name in self.names)

    def refusal(self, request: HttpRequest) -> HttpResponse | None:
        """What to answer instead of the page: the way to the log-in page, or 403 and what is missing."""
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if self.is_met_by(request.user):
            return None
        context = {"site_name": conf.SITE_NAME(), "member": request.user, "kind": self.kind, "needed": self.names}
        return render(request, "memberhook/no_access.html", context, status=403)

    def guard(self, view: Any, is_async: bool) -> Any:
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            return self.refusal(request) or view(request, *args, **kwargs)

        async def guarded_async(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            return await sync_to_async(self.refusal)(request) or await view(request, *args, **kwargs)

        return functools.wraps(view)(guarded_async if is_async else guarded)

    def decorate(self, view: View) -> View:
        guarded: View = self.guard(view, iscoroutinefunction(view))
        return guarded


def tag_required(*tags: str | int, connection: Connection | str | None = None) -> Callable[[View], View]:
    """Opens a view (sync or async) to members with any of the tags, and to superusers.

    Who is not logged in is sent to the log-in page; who is, but has none of the tags, gets a page (403) that says so.
    """
    return _Need("tag", tags, connection).decorate


def role_required(*roles: str) -> Callable[[View], View]:
    """Opens a view (sync or async) to members with any of the roles, and to superusers; else as `tag_required`."""
    return _Need("role", roles).decorate


class TagRequiredMixin(_View):
    """`tag_required` for class-based views; put it first among the bases. `tag_connection`: as `connection` there."""

    required_tags: Sequence[str | int] = ()
    tag_connection: Connection | str | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        need = _Need("tag", _names(self.required_tags), self.tag_connection)
        answer: HttpResponseBase = need.guard(super().dispatch, self.view_is_async)(request, *args, **kwargs)
        return answer


class RoleRequiredMixin(_View):
    """`role_required` for class-based views; put it first among the bases."""

    required_roles: Sequence[str] = ()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        need = _Need("role", _names(self.required_roles))
        answer: HttpResponseBase = need.guard(super().dispatch, self.view_is_async)(request, *args, **kwargs)
        return answer


def _names(required: Sequence[str | int]) -> tuple[str | int, ...]:
    """`required_tags = "gold"` means one tag, not four letters."""
    return (required,) if isinstance(required, str) else tuple(required)
