"""The simulated FluentCRM in a process of its own: `python -m benchmarks.crm PORT CONTACTS LATENCY`."""

from __future__ import annotations

import sys
import time
from dataclasses import asdict
from datetime import datetime
from itertools import islice

from memberhook.testing.fluentcrm import Running, SimulatedFluentCRM
from memberhook.testing.fluentcrm.people import people

USER, PASSWORD = "memberhook", "bench-bench"


def main() -> None:
    port, contacts, latency = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    crm = SimulatedFluentCRM(datetime.now)
    crm.add_user(USER, PASSWORD)
    tags = [crm.add_tag(title) for title in ("Course", "Newsletter")]
    for number, person in enumerate(islice(people(seed=1), contacts), start=1):
        crm.add_contact(**asdict(person), id=number, tags=tags)
    crm.latency = latency
    with Running(crm, port=port):
        print("ready", flush=True)
        time.sleep(600)


if __name__ == "__main__":
    main()
