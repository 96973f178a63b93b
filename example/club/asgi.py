"""For servers that speak ASGI: Memberhook answers the hook addresses, Django all others."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "club.settings")
django_application = get_asgi_application()

from memberhook.engine.runtime import system_runtime  # noqa: E402
from memberhook.intake.asgi import application as in_front_of  # noqa: E402  # needs Django to be set up

application = in_front_of(django_application, system_runtime())
