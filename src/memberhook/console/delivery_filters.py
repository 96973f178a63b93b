"""Filters for the list of deliveries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from memberhook.console.labels import ACTIONS, Text, status_label
from memberhook.core.states import STATUSES
from memberhook.models.connections import Hook
from memberhook.models.deliveries import Delivery, Origin, with_status


class StatusFilter(SimpleListFilter):
    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(status, str(status_label(status).text)) for status in STATUSES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return with_status(queryset, self.value() or "") if self.value() in STATUSES else queryset


class ColumnFilter(SimpleListFilter):
    """Filter by a column with a few known values. Django's own filter would scan the whole table for them."""

    labels: Mapping[Any, Text] = {}

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(value.value, str(text)) for value, text in self.labels.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        column = self.parameter_name or ""
        return queryset.filter(**{column: self.value()}) if self.value() in self.labels else queryset


class ActionFilter(ColumnFilter):
    title = _("action")
    parameter_name = "action"
    labels = ACTIONS


class HookFilter(SimpleListFilter):
    title = _("hook")
    parameter_name = "hook"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in Hook.objects.order_by("name").values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        chosen = self.value() or ""
        return queryset.filter(hook=int(chosen)) if chosen.isdecimal() else queryset


class OriginFilter(ColumnFilter):
    title = _("origin")
    parameter_name = "origin"
    labels = {origin: origin.label for origin in Origin}
