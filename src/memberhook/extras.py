"""Say in one sentence which extra is missing, where a package of it is needed."""

from __future__ import annotations

from importlib.util import find_spec

from django.core.exceptions import ImproperlyConfigured


def require(extra: str, what: str, *modules: str) -> None:
    """Raise `ImproperlyConfigured` if one of these modules, which `memberhook[extra]` brings, is not installed."""
    if any(find_spec(module) is None for module in modules):
        raise ImproperlyConfigured(f"{what} needs memberhook[{extra}]: pip install 'memberhook[{extra}]'")
