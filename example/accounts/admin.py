from __future__ import annotations

from django.contrib import admin
from memberhook.console.members import FieldInline, TagInline

from accounts.models import Person


@admin.register(Person)
class PersonAdmin(admin.ModelAdmin):
    list_display = ("email", "first_name", "last_name")
    fields = ("email", "first_name", "last_name", "phone", "birthday", "is_active", "is_staff", "groups")
    inlines = [TagInline, FieldInline]  # Memberhook
