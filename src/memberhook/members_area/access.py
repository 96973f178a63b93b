"""Access control for views and templates of a Django project: checks and guards by tag and role.

`has_tag` and `has_role` report what a user really has, superusers included. Guards let superusers pass, so that
owners can open their own pages; staff status alone opens nothing.

Tags and roles are cached on the user object, so a request costs at most one query for each.
`user.refresh_from_db()` clears the cache.
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
from django.utils.html import format_html_join

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
    """Return whether the member has the tag, given by slug or title (case-insensitive) or by its id in the CRM.

    `connection` (a row or its name) limits the check to tags of that CRM account.
    """
    return any(_is(row, tag) and _is_of(row, connection) for row in tags_of(user))


def has_role(user: Any, role: str) -> bool:
    """Return whether the member has the role, given by slug or title (case-insensitive)."""
    name = role.strip().lower()
    return any(name in (slug.lower(), title.lower()) for slug, title in _roles(user))


def tags_of(user: Any) -> list[Tag]:
    """Return the member's tags from all connections; none for an anonymous user."""
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
    """The tags or roles that open a page; any one of the names is enough."""

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
        """Return a redirect to the log-in page or a 403 page, or None if the user has access."""
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        if self.is_met_by(request.user):
            return None
        context = {
            "site_name": conf.SITE_NAME(),
            "member": request.user,
            "kind": self.kind,
            "needed": self.names,
            "names": format_html_join(", ", "<strong>{}</strong>", ((name,) for name in self.names)),
        }
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
    """Open a view (sync or async) to members with any of the tags, and to superusers.

    Anonymous users are redirected to the log-in page; members without the tags get a 403 page that names them.
    """
    return _Need("tag", tags, connection).decorate


def role_required(*roles: str) -> Callable[[View], View]:
    """Open a view (sync or async) to members with any of the roles, and to superusers. See `tag_required`."""
    return _Need("role", roles).decorate


class TagRequiredMixin(_View):
    """`tag_required` for class-based views, as the first base class. `tag_connection` is its `connection`."""

    required_tags: Sequence[str | int] = ()
    tag_connection: Connection | str | None = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        need = _Need("tag", _names(self.required_tags), self.tag_connection)
        answer: HttpResponseBase = need.guard(super().dispatch, self.view_is_async)(request, *args, **kwargs)
        return answer


class RoleRequiredMixin(_View):
    """`role_required` for class-based views, as the first base class."""

    required_roles: Sequence[str] = ()

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        need = _Need("role", _names(self.required_roles))
        answer: HttpResponseBase = need.guard(super().dispatch, self.view_is_async)(request, *args, **kwargs)
        return answer


def _names(required: Sequence[str | int]) -> tuple[str | int, ...]:
    """Accept `required_tags = "gold"` as one tag."""
    return (required,) if isinstance(required, str) else tuple(required)
