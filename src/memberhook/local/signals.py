"""Signals for the code of a host project, sent after the change is committed. `sender` is the user model.

Each has `member` (the user); `tags_applied` and `tags_removed` have `tags` (a list of `memberhook.members.types.Tag`),
`member_changed` has `changes` (names). They are sent at least once: a receiver should not mind a repetition.
"""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth import get_user_model
from django.dispatch import Signal

from memberhook.members.types import Plan
from memberhook.sites.base import Applied

member_created = Signal()
member_changed = Signal()
tags_applied = Signal()
tags_removed = Signal()


def announce(done: Sequence[tuple[Plan, Applied]]) -> None:
    """Tells the host project what changed; what a receiver raises is logged and stops nobody else."""
    told = [pair for pair in done if pair[1].created or pair[1].changes]
    if not told or not any(s.receivers for s in (member_created, member_changed, tags_applied, tags_removed)):
        return
    model = get_user_model()
    users = {str(u.pk): u for u in model._default_manager.filter(pk__in=[applied.member_id for _, applied in told])}
    for plan, applied in told:
        member = users.get(applied.member_id)
        if member is None:
            continue
        if applied.created:
            member_created.send_robust(model, member=member)
        else:
            member_changed.send_robust(model, member=member, changes=list(applied.changes))
        for signal, tags in ((tags_applied, plan.changes.tags_applied), (tags_removed, plan.changes.tags_removed)):
            if tags:
                signal.send_robust(model, member=member, tags=list(tags))
