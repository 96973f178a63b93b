"""The field map as rows of a form: site field, CRM field, type, "empty clears"."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from django import forms
from django.core.exceptions import ValidationError

from memberhook.console.base import Checkbox, Select, TextInput
from memberhook.core.closed_fields import is_closed
from memberhook.core.types import FieldType

TYPES: Mapping[FieldType, str] = {
    FieldType.AUTO: "as it comes",
    FieldType.TEXT: "text",
    FieldType.MULTILINE: "text of several lines",
    FieldType.NUMBER: "number",
    FieldType.DATE: "date",
    FieldType.DATETIME: "date and time",
    FieldType.CHECKBOX: "yes or no",
    FieldType.SELECT: "choice",
    FieldType.MULTISELECT: "several choices",
    FieldType.RAW: "raw (markup stays)",
}
OWN_TYPE = ("", "that of the CRM's field")
SPARE_ROWS = 2
MOST_ROWS = 200

Row = dict[str, Any]
"""As a hook stores it: `site`, `crm`, `type`, `clears`."""

Choices = Sequence[tuple[str, Any]]


class FieldMapWidget(forms.Widget):
    """`crm_fields`: choices, in groups where there are several connections; `site_fields`: what is suggested."""

    template_name = "memberhook/console/field_map.html"
    crm_fields: Choices = ()
    site_fields: Sequence[str] = ()

    class Media:
        js = ["memberhook/console.js"]

    def get_context(self, name: str, value: Sequence[Row] | None, attrs: dict[str, Any] | None) -> dict[str, Any]:
        rows = [*(value or ()), *({} for _ in range(SPARE_ROWS))]
        context = super().get_context(name, None, attrs)
        context["rows"] = [self._cells(f"{name}-{number}", row, name) for number, row in enumerate(rows)]
        context["empty_row"] = self._cells(f"{name}-__row__", {}, name)
        context["site_fields"] = self.site_fields
        return context

    def _cells(self, prefix: str, row: Row, name: str) -> list[str]:
        known = {key for key, entry in self.crm_fields for key in _keys(key, entry)}
        stored = row.get("crm", "")
        lost = [(stored, f"{stored} (not known)")] if stored and stored not in known else []
        types = [(kind.value, title) for kind, title in TYPES.items()]
        site = TextInput(attrs={"list": f"{name}-site-fields", "autocomplete": "off", "aria-label": "Site field"})
        crm = Select(attrs={"aria-label": "CRM field"}, choices=[("", "—"), *self.crm_fields, *lost])
        kind = Select(attrs={"aria-label": "Type"}, choices=types if row.get("type") else [OWN_TYPE, *types])
        clears = Checkbox(attrs={"aria-label": "Empty clears"})
        return [
            site.render(f"{prefix}-site", row.get("site", "")),
            crm.render(f"{prefix}-crm", stored),
            kind.render(f"{prefix}-type", row.get("type", "")),
            clears.render(f"{prefix}-clears", bool(row.get("clears"))),
        ]

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[Row]:
        pattern = re.compile(rf"{re.escape(name)}-(\d{{1,4}})-site")
        numbers = sorted(int(match[1]) for key in data if (match := pattern.fullmatch(key)))[:MOST_ROWS]
        rows: list[Row] = [
            {
                "site": data.get(f"{name}-{number}-site", "").strip(),
                "crm": data.get(f"{name}-{number}-crm", "").strip(),
                "type": data.get(f"{name}-{number}-type", ""),
                "clears": f"{name}-{number}-clears" in data,
            }
            for number in numbers
        ]
        return [row for row in rows if row["site"] or row["crm"]]

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        return False  # without rows the map is empty, not missing


def _keys(key: str, entry: Any) -> list[str]:
    """The values of a choice, or of a group of choices."""
    return [key] if isinstance(entry, str) else [inner for inner, _ in entry]


class FieldMapField(forms.Field):
    """Gives rows whose `type` may be "" (the CRM field's own); which CRM fields there are is for the form to check."""

    widget = FieldMapWidget

    def to_python(self, value: Sequence[Row] | None) -> list[Row]:
        return [dict(row) for row in value or ()]

    def validate(self, value: list[Row]) -> None:
        errors = [text for number, row in enumerate(value, 1) if (text := self._problem(number, row, value))]
        if errors:
            raise ValidationError(errors)

    def _problem(self, number: int, row: Row, rows: list[Row]) -> str | None:
        site = row["site"]
        if not site or not row["crm"]:
            return f"Row {number}: fill in the site's field and choose the CRM's, or empty both."
        if not re.fullmatch(r"[\w.-]{1,100}", site):
            return f"Row {number}: {site!r} is no field name; use letters, digits, '_', '-' and '.'."
        if is_closed(site):
            return f"Row {number}: no CRM may set {site}: it decides about rights or about who an account belongs to."
        if [other["site"] for other in rows].index(site) < number - 1:
            return f"Row {number}: {site} is there twice."
        if row["type"] and row["type"] not in list(FieldType):
            return f"Row {number}: choose a type."
        return None

    def has_changed(self, initial: Sequence[Row] | None, data: Sequence[Row] | None) -> bool:
        return [_normal(row) for row in initial or ()] != [_normal(row) for row in data or ()]


def _normal(row: Row) -> tuple[str, str, str, bool]:
    return row["site"], row["crm"], row.get("type") or FieldType.AUTO, bool(row.get("clears"))
