"""kill -9 of every process in the middle of a burst: nothing that was answered 2xx is lost, nothing happens twice."""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import pytest
import urllib3

from memberhook.testing.fluentcrm import Running
from tests.server.conftest import Service, connect

BURST = 150


@pytest.fixture(scope="module")
def burst(make_service: Callable[..., Service], crm: Running) -> Service:
    service = make_service(BATCH="10")
    service.start()
    connect(service, crm, "--return-password", "wp_password", "--welcome")
    return service


def send_burst(service: Service, contacts: list[int], accepted: list[int]) -> threading.Thread:
    """Sends `add` for every contact, and again what was not answered; notes which were answered 2xx."""

    def run() -> None:
        for contact in contacts:
            for _ in range(1000):
                try:
                    answer = service.hook("wpf_action=add&role=customer&async=true", {"id": contact})
                except urllib3.exceptions.HTTPError:
                    time.sleep(0.02)
                    continue
                if answer.status == 202:
                    accepted.append(contact)
                    break

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.parametrize("victim", ["worker", "web"])
def test_killed_in_the_middle_of_a_burst(burst: Service, crm: Running, victim: str) -> None:
    service = burst
    rng = random.Random(victim)
    contacts = [crm.crm.add_contact(f"{victim}.{n}@example.com", "Ada", tags=("Course",)) for n in range(BURST)]
    accepted: list[int] = []
    before = len(service.json("deliveries"))
    crm.crm.latency = 0.05
    sending = send_burst(service, contacts, accepted)
    for _ in range(3):
        time.sleep(rng.uniform(0.3, 0.9))
        if victim == "worker":
            os.kill(service.worker_pid(), signal.SIGKILL)
        else:
            service.stop(signal.SIGKILL)
            service.start()
    sending.join()
    crm.crm.latency = 0.0
    deliveries = service.settle(before + len(accepted))[before:]
    assert {d["status"] for d in deliveries} <= {"applied", "unchanged"}, Counter(d["status"] for d in deliveries)
    assert set(accepted) <= {int(d["contact"]) for d in deliveries}, "an accepted webhook is lost"
    members = {m["email"]: m for m in service.json("members") if m["email"].startswith(f"{victim}.")}
    assert len(members) == len({d["contact"] for d in deliveries})
    assert all(m["roles"] == ["customer"] and m["tags"] == ["course"] for m in members.values())
    sent = (mail.partition("To: ")[2].partition("\n")[0] for mail in service.mails())
    mails = Counter(to for to in sent if to.startswith(f"{victim}."))
    assert mails == dict.fromkeys(members, 1), "one welcome e-mail each"
    for contact in {int(d["contact"]) for d in deliveries}:
        assert len(crm.crm.contact(contact)["custom_values"]["wp_password"]) == 24
    assert sorted(accepted) == contacts, "the burst got through"


def test_sigterm_finishes_what_is_in_progress(burst: Service, crm: Running) -> None:
    contacts = [crm.crm.add_contact(f"term.{n}@example.com") for n in range(30)]
    accepted: list[int] = []
    before = len(burst.json("deliveries"))
    send_burst(burst, contacts, accepted).join()
    burst.stop()
    assert burst.process is not None
    assert burst.process.returncode == 0
    assert all(d["status"] != "retrying" for d in burst.json("deliveries")), "no batch was left half-way"
    burst.start()
    assert len(burst.settle(before + 30)) == before + 30
