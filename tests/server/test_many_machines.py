"""Beyond one machine: PostgreSQL as the database, wake-ups over Redis or PostgreSQL, several workers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from memberhook.testing.fluentcrm import Running
from tests.server.conftest import Service, connect
from tests.servers import new_postgresql_database

REDIS = os.environ.get("MEMBERHOOK_TEST_REDIS_URL", "")


@pytest.fixture
def database() -> Iterator[str]:
    with new_postgresql_database() as url:
        yield url


@pytest.mark.postgresql
@pytest.mark.parametrize("queue", [pytest.param("redis", marks=pytest.mark.redis), "postgresql"])
def test_two_workers_share_a_burst_and_one_dies(
    make_service: Callable[..., Service], crm: Running, database: str, queue: str
) -> None:
    service = make_service(DATABASE_URL=database, QUEUE_URL=REDIS if queue == "redis" else database, BATCH="5")
    service.start()
    connect(service, crm, "--welcome", "--return-password", "wp_password")
    command = [sys.executable, "-m", "memberhook", "worker", "--name", "second"]
    second = subprocess.Popen(command, env=service.env, stderr=subprocess.DEVNULL)
    try:
        contacts = [crm.crm.add_contact(f"{queue}.{n}@example.com", tags=("Course",)) for n in range(60)]
        crm.crm.latency = 0.05
        for contact in contacts * 2:
            assert service.hook("wpf_action=add&role=customer&async=true", {"id": contact}).status == 202
        time.sleep(0.5)
        second.send_signal(signal.SIGKILL)
        crm.crm.latency = 0.0
        deliveries = service.settle(120)
    finally:
        crm.crm.latency = 0.0
        second.kill()
        second.wait(10)
        service.stop()
    assert {d["status"] for d in deliveries} <= {"applied", "unchanged"}
    created = Counter(d["contact"] for d in deliveries if d["member"]["created"])
    assert created == dict.fromkeys(map(str, contacts), 1), "each member is made once"
    mails = Counter(mail.partition("To: ")[2].partition("\n")[0] for mail in service.mails())
    assert set(mails.values()) == {1}
    assert len(mails) == 60
