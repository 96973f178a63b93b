"""Wake workers: Huey over SQLite, Redis or PostgreSQL, with one task, "work at this hook".

A message may be lost: the worker's sweep finds the work. The task's argument is a row id, and its name never changes.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from huey import Huey, PostgresHuey, RedisHuey, SqliteHuey
from huey.serializer import SignedSerializer

from memberhook import conf, extras

log = logging.getLogger(__name__)

Work = Callable[[int], None]


@functools.cache
def message_queue() -> Huey:
    """The queue of this process. Messages are signed: whoever can write to the queue cannot make a worker run code."""
    address = conf.QUEUE_URL()
    common = {"results": False, "serializer": SignedSerializer(secret=str(settings.SECRET_KEY))}
    scheme = urlsplit(address).scheme.split("+")[0]
    if not address:
        # A message need not survive a power cut: no fsync.
        file = conf.DATA().resolve() / "queue.sqlite3"
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return SqliteHuey("memberhook", filename=str(file), fsync=False, **common)
    if scheme in ("redis", "rediss", "unix"):
        extras.require("redis", "A queue in Redis", "redis")
        return RedisHuey("memberhook", url=address, **common)
    if scheme in ("postgres", "postgresql"):
        extras.require("postgresql", "A queue in PostgreSQL", "psycopg")
        return PostgresHuey("memberhook", dsn=address, **common)
    raise ImproperlyConfigured(f"{conf.QUEUE_URL.variable} is for {scheme!r}, which is none of redis and postgresql.")


@functools.cache
def _task() -> Work:
    task: Work = message_queue().task(name="memberhook.work")(_run)
    return task


_handler: list[Work] = []


def _run(hook_id: int) -> None:
    for work in _handler:
        work(hook_id)


def set_handler(work: Work) -> None:
    """Set what a worker process does with a message; call it before its consumer starts."""
    _handler[:] = [work]
    _task()


def notify_workers(hook_ids: Iterable[int]) -> None:
    """Wake workers for these hooks. Never raises: a worker's sweep finds the work anyway."""
    try:
        for hook_id in hook_ids:
            _task()(hook_id)
    except Exception as error:  # whatever the queue's storage raises
        log.warning("Workers could not be notified (%s); they find the work within a second.", type(error).__name__)
