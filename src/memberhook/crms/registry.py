"""The supported CRMs: slug → module, imported when first used."""

from __future__ import annotations

from importlib import import_module

from memberhook.core.errors import UsageError
from memberhook.crms.contract import CrmInfo

CRMS = {"fluentcrm": "memberhook.crms.fluentcrm"}


def crm(slug: str) -> CrmInfo:
    """The CRM with that slug. Raises `UsageError`, which lists the supported ones."""
    if slug not in CRMS:
        raise UsageError(f"There is no CRM {slug!r}. Supported are: {', '.join(sorted(CRMS))}.", code="unknown_crm")
    info: CrmInfo = import_module(CRMS[slug]).CRM
    return info
