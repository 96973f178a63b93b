"""The service's ASGI application: `memberhook.service.asgi:application`."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memberhook.service.settings")

from django.core.asgi import get_asgi_application

from memberhook.web.asgi import application as in_front_of
from memberhook.worker import real_tools

application = in_front_of(get_asgi_application(), real_tools())
