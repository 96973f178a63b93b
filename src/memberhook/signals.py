"""Signals for the code of a host project, sent after the change is committed. `sender` is the user model.

Each has `member` (the user); `tags_applied` and `tags_removed` have `tags` (a list of `memberhook.core.types.Tag`),
`member_changed` has `changes` (names). They are sent at least once: a receiver should not mind a repetition.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django.contrib.auth import get_user_model
from django.dispatch import Signal

from memberhook.core.types import Applied, Plan, Tag

member_created = Signal()
member_changed = Signal()
tags_applied = Signal()
tags_removed = Signal()


_ALL = (member_created, member_changed, tags_applied, tags_removed)


def anybody_listens() -> bool:
    return any(signal.receivers for signal in _ALL)


def what_changed(plan: Plan, applied: Applied) -> dict[str, Any]:
    """As JSON, for `announce`."""
    return {
        "created": applied.created,
        "changes": list(applied.changes),
        "tags_applied": [asdict(tag) for tag in plan.changes.tags_applied],
        "tags_removed": [asdict(tag) for tag in plan.changes.tags_removed],
    }


def announce(member_id: str, changed: dict[str, Any]) -> None:
    """Tells the host project; what a receiver raises is logged by Django and stops no other. A member that is gone is
    told of to nobody."""
    model = get_user_model()
    member = model._default_manager.filter(pk=member_id).first()
    if member is None:
        return
    if changed["created"]:
        member_created.send_robust(model, member=member)
    else:
        member_changed.send_robust(model, member=member, changes=changed["changes"])
    for signal, tags in ((tags_applied, changed["tags_applied"]), (tags_removed, changed["tags_removed"])):
        if tags:
            signal.send_robust(model, member=member, tags=[Tag(**tag) for tag in tags])
