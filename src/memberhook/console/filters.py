"""Filters of the list of deliveries."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from memberhook.core.states import STATUSES
from memberhook.core.types import Action
from memberhook.models.connections import Hook
from memberhook.models.deliveries import Delivery, with_status


class StatusFilter(SimpleListFilter):
    title = "status"
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(status, status) for status in STATUSES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        return with_status(queryset, self.value() or "") if self.value() in STATUSES else queryset


class ColumnFilter(SimpleListFilter):
    """One column with a few known values. (Django's own would look through the whole table for them.)"""

    values: tuple[str, ...] = ()

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(value, value) for value in self.values]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        column = self.parameter_name or ""
        return queryset.filter(**{column: self.value()}) if self.value() in self.values else queryset


class ActionFilter(ColumnFilter):
    title = parameter_name = "action"
    values = tuple(action.value for action in Action)


class HookFilter(SimpleListFilter):
    title = parameter_name = "hook"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin[Any]) -> list[tuple[str, str]]:
        return [(str(pk), name) for pk, name in Hook.objects.order_by("name").values_list("pk", "name")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> QuerySet[Delivery]:
        chosen = self.value() or ""
        return queryset.filter(hook=int(chosen)) if chosen.isdecimal() else queryset


class OriginFilter(ColumnFilter):
    title = parameter_name = "origin"
    values = ("webhook", "import", "resync")
