"""Where Django looks for the screens: it registers the console with the project's admin site."""

from __future__ import annotations

from django.contrib import admin

from memberhook.console.register import register

register(admin.site)
