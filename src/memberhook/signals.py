"""Signals for the code of a host project, sent after the change is committed. The `sender` is the user model.

All have `member` (the user). `tags_applied` and `tags_removed` have `tags`, a list of `memberhook.core.types.Tag`;
`member_changed` has `changes`, the names of fields. Each is sent at least once, so receivers must expect repetitions.
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
    """The change as JSON, for `announce`."""
    return {
        "created": applied.created,
        "changes": list(applied.changes),
        "tags_applied": [asdict(tag) for tag in plan.changes.tags_applied],
        "tags_removed": [asdict(tag) for tag in plan.changes.tags_removed],
    }


def announce(member_id: str, changed: dict[str, Any]) -> None:
    """Send the signals for one member, unless it has been deleted since.

    Django logs what a receiver raises, and calls the others.
    """
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
