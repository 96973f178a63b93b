"""A simulated FluentCRM that the demo, the tests and the benchmarks share.

Its one decision: it behaves as the recordings of a real one (FluentCRM 2.9.84 with Pro 2.8.45), oddities included, and
knows nothing of the rest of Memberhook but its errors.

`crm.py` is the CRM to drive, `server.py` runs it; `rest.py` and `routes.py` answer its REST calls, `outgoing.py` sends
its webhooks, `faults.py` lists what can go wrong, `people.py` invents contacts.
"""

from memberhook.testing.fluentcrm.crm import SimulatedFluentCRM
from memberhook.testing.fluentcrm.records import Note
from memberhook.testing.fluentcrm.server import Running

__all__ = ["Note", "Running", "SimulatedFluentCRM"]
