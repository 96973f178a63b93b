"""The bell: Huey over SQLite, Redis or PostgreSQL. It may lose a ring; the sweeper finds what no bell announced."""

from __future__ import annotations

import functools
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from huey import Huey, PostgresHuey, RedisHuey, SqliteHuey
from huey.serializer import SignedSerializer

from memberhook import conf


@functools.cache
def bell() -> Huey:
    """The queue of this process. Messages are signed: whoever can write to the queue cannot make a worker run code."""
    address = conf.QUEUE_URL()
    common = {"results": False, "serializer": SignedSerializer(secret=str(settings.SECRET_KEY))}
    scheme = urlsplit(address).scheme.split("+")[0]
    if not address:
        # A bell need not survive a power cut: no fsync.
        file = conf.DATA().resolve() / "queue.sqlite3"
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        return SqliteHuey("memberhook", filename=str(file), fsync=False, **common)
    if scheme in ("redis", "rediss", "unix"):
        return RedisHuey("memberhook", url=address, **common)
    if scheme in ("postgres", "postgresql"):
        return PostgresHuey("memberhook", dsn=address, **common)
    raise ImproperlyConfigured(f"{conf.QUEUE_URL.variable} is for {scheme!r}, which is none of redis and postgresql.")
