"""The service's ASGI application: `memberhook.server.asgi:application`."""

from __future__ import annotations

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "memberhook.server.settings")

from django.core.asgi import get_asgi_application

django = get_asgi_application()  # first: what is imported below needs its models

from memberhook.engine.runtime import system_runtime  # noqa: E402
from memberhook.intake.asgi import application as in_front_of  # noqa: E402

application = in_front_of(django, system_runtime())
