"""A full disk, made with a limit on the size of files: nothing is answered 2xx that is not on disk."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable

import urllib3

from memberhook.testing.fluentcrm import Running
from tests.server.conftest import Service, connect


def test_a_full_disk_refuses_and_loses_nothing(make_service: Callable[..., Service], crm: Running) -> None:
    service = make_service()
    connect(service, crm)
    limit = (service.folder / "memberhook.sqlite3").stat().st_size + 256 * 1024
    code = (
        f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {resource.RLIM_INFINITY}));"
        "from memberhook.cli import main; main()"
    )
    command = [sys.executable, "-c", code, "serve", "--port", str(service.port)]
    with open(service.folder / "serve.log", "ab") as log:
        service.process = subprocess.Popen(command, env=service.env, stderr=log)
    until = time.monotonic() + 20
    while not _answers(service):
        assert time.monotonic() < until
        time.sleep(0.05)
    accepted, refused = 0, None
    for number in range(200):
        body = {"id": crm.crm.add_contact(f"full.{number}@example.com"), "filler": "x" * 20_000}
        answer = service.hook("wpf_action=add&async=true", body)
        if answer.status != 202:
            refused = answer
            break
        accepted += 1
    assert refused is not None, "the disk never got full"
    assert (refused.status, refused.data["error"]["code"]) == (503, "storage_unavailable")
    assert int(refused.headers["Retry-After"]) > 0
    assert service.get("/healthz").status == 200
    service.stop()
    service.start()
    deliveries = service.settle(accepted)
    assert len(deliveries) == accepted
    assert {d["status"] for d in deliveries} == {"applied"}


def _answers(service: Service) -> bool:
    try:
        return service.get("/readyz").status == 200
    except urllib3.exceptions.HTTPError:
        return False
