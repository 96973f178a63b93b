from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable

from tests.server.conftest import Service


def test_the_demo_shows_a_contact_becoming_a_member_within_ten_seconds(make_service: Callable[..., Service]) -> None:
    service = make_service()
    service.cli("members")  # the database is made before the clock starts, as it is at a second start
    output = service.folder / "demo.txt"
    command = [sys.executable, "-m", "memberhook", "demo", "--port", str(service.port), "--buyers", "1"]
    start = time.monotonic()
    with open(output, "wb") as stream:
        demo = subprocess.Popen(command, env=service.env, stdout=stream, stderr=subprocess.STDOUT)
    try:
        while "password now" not in output.read_text():
            assert demo.poll() is None, output.read_text()
            assert time.monotonic() - start < 10, output.read_text()
            time.sleep(0.1)
        [member] = [m for m in service.json("members") if m["contact"]]
        assert (member["roles"], member["tags"]) == (["customer"], ["course-sourdough"])
        assert len(service.mails()) == 1
        shown = output.read_text()
        for part in ("/console/", "access key", "/login/", member["email"], "welcome e-mail", "delivery 1:"):
            assert part in shown
    finally:
        demo.send_signal(signal.SIGINT)
        assert demo.wait(20) == 0


def test_the_demo_keeps_away_from_data_of_your_own(service: Service) -> None:
    error = service.cli("demo", "--port", "1", status=1)
    assert "a connection of your own (shop)" in error
