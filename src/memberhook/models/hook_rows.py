"""The rows of a hook: its field map and its tag rules."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

from memberhook.core.closed_fields import is_closed
from memberhook.core.types import FieldType
from memberhook.models.connections import Connection, Hook
from memberhook.models.tags import Tag

TYPES = {
    FieldType.AUTO: _("as it comes"),
    FieldType.TEXT: _("text"),
    FieldType.MULTILINE: _("text of several lines"),
    FieldType.NUMBER: _("number"),
    FieldType.DATE: _("date"),
    FieldType.DATETIME: _("date and time"),
    FieldType.CHECKBOX: _("yes or no"),
    FieldType.SELECT: _("choice"),
    FieldType.MULTISELECT: _("several choices"),
    FieldType.RAW: _("raw (markup stays)"),
}
UNKNOWN_TYPE = f"There is no type %(value)r; there are: {', '.join(FieldType)}."


class MappedField(models.Model):
    """One entry of a field map: `site_field` follows `crm_field`. Entries count in the order in which they were added.

    An empty `type` becomes that of the CRM's field.
    """

    hook = models.ForeignKey(Hook, on_delete=models.CASCADE, related_name="mapped_fields")
    site_field = models.CharField(
        max_length=100,
        help_text=_("A field of the member. user_email, user_login, user_pass and role have a meaning of their own."),
    )
    crm_field = models.CharField(_("CRM field"), max_length=200)
    type = models.CharField(
        max_length=20,
        blank=True,
        default="",
        choices=[("", _("that of the CRM's field")), *((kind.value, title) for kind, title in TYPES.items())],
        error_messages={"invalid_choice": UNKNOWN_TYPE},
    )
    clears = models.BooleanField(
        _("empty clears"), default=False, help_text=_("When the CRM's field is empty, the member's is emptied too.")
    )

    class Meta:
        default_permissions = ()  # whoever may change the hook may change its rows
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{self.site_field} = {self.crm_field}"

    def clean(self) -> None:
        check_site_field(self.site_field)
        if self.hook.connection_id:
            self.hook.check_crm_field("crm_field", self.crm_field)
            self.type = self.type or self.hook.connection.field_types.get(self.crm_field, FieldType.AUTO).value


class TagRule(models.Model):
    """While the contact has the tag, the member has the role.

    `tag` is the tag's id in the CRM, so the rule survives renaming, and stays readable when the tag is deleted there.
    """

    hook = models.ForeignKey(Hook, on_delete=models.CASCADE, related_name="tag_rules")
    tag = models.CharField(max_length=100, help_text=_("The title, slug or id of the tag."))
    role = models.CharField(max_length=100, help_text=_("The default role, or one of the allowed roles."))

    class Meta:
        default_permissions = ()
        ordering = ["pk"]

    def __str__(self) -> str:
        return f"{tag_name(self.tag, self.hook.connection.tags.all())} = {self.role}"

    def clean(self) -> None:
        """Accept the tag by id, slug or title."""
        if not self.hook.connection_id:
            return
        tag = find_tag(self.tag, self.hook.connection.tags.all())
        if tag is not None:
            self.tag = tag.crm_id
        elif not TagRule.objects.filter(hook_id=self.hook.pk, tag=self.tag).exists():
            message = unknown_tag(self.tag, self.hook.connection)
            raise ValidationError({"tag": ValidationError(message, code="unknown_tag")})
        self.role = self.hook.granted_role("role", self.role)


def check_site_field(name: str) -> None:
    if not re.fullmatch(r"[\w.-]*", name):
        message, code = f"{name!r} is not a field name; use letters, digits, '_', '-' and '.'.", "bad_field"
    elif name and is_closed(name):
        message, code = f"No CRM may set {name}: it controls rights, or whose account it is.", "closed_field"
    else:
        return
    raise ValidationError({"site_field": ValidationError(message, code=code)})


def check_distinct(rows: Iterable[MappedField] | Iterable[TagRule]) -> None:
    """Raises `ValidationError` for a site field that is mapped twice, or a duplicate rule.

    It is not a constraint of the database: forms save their rows one by one, and two of them may swap their names.
    """
    seen = set[str]()
    for row in rows:
        name = row.site_field if isinstance(row, MappedField) else str(row)
        if name in seen:
            raise ValidationError(f"{name} appears twice.", code="duplicate")
        seen.add(name)


def find_tag(name: str, tags: Iterable[Tag]) -> Tag | None:
    """The tag with that id in the CRM, else with that slug, else with that title, in any case."""
    key = name.strip().casefold()
    named = [(tag, [text.strip().casefold() for text in (tag.crm_id, tag.slug, tag.title)]) for tag in tags]
    found = [(names.index(key), tag) for tag, names in named if key in names]
    _, tag = min(found, key=lambda ranked: ranked[0], default=(0, None))
    return tag


def tag_name(crm_id: str, tags: Iterable[Tag]) -> str:
    """How to write a tag so that `find_tag` finds it: by title, else by slug, else by id."""
    tags = list(tags)
    tag = next((tag for tag in tags if tag.crm_id == crm_id), None)
    return next((name for name in (tag.title, tag.slug) if find_tag(name, tags) == tag), crm_id) if tag else crm_id


def unknown_tag(name: str, connection: Connection) -> str:
    titles = {tag.title.casefold(): tag.title for tag in connection.tags.all()}
    close = [titles[match] for match in get_close_matches(name.casefold(), titles, cutoff=0.5)]
    hint = f" Similar: {', '.join(close)}." if close else ""
    return f"{connection.name} has no tag {name!r}.{hint} If you have just added it, reload the connection first."
