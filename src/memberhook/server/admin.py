"""The service's pages for users and groups, in place of Django's own: members with their tags, fields and contacts."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth.models import Group, User

from memberhook.console.members import GroupAdmin, MemberAdmin

admin.site.unregister([User, Group])
admin.site.register(User, MemberAdmin)
admin.site.register(Group, GroupAdmin)
