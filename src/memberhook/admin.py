"""Register the console with the project's admin site; Django imports this module."""

from __future__ import annotations

from django.contrib import admin

from memberhook.console.register import register

register(admin.site)
