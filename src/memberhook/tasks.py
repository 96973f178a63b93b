"""The one Huey task: work at a hook. Its argument is a row id, its name never changes."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable

from memberhook.queue import bell

log = logging.getLogger(__name__)

Work = Callable[[int], None]


@functools.cache
def _task() -> Work:
    task: Work = bell().task(name="memberhook.work")(_run)
    return task


_handler: list[Work] = []


def _run(hook_id: int) -> None:
    for work in _handler:
        work(hook_id)


def answer_with(work: Work) -> None:
    """Names what a worker process does when the bell rings; before its consumer starts."""
    _handler[:] = [work]
    _task()


def ring(hook_ids: Iterable[int]) -> None:
    """Tells the workers that these hooks have something to do. Never raises: the sweeper comes by anyway."""
    try:
        for hook_id in hook_ids:
            _task()(hook_id)
    except Exception as error:  # whatever the queue's storage raises
        log.warning("The queue could not be rung (%s); the sweeper will find the work.", type(error).__name__)
