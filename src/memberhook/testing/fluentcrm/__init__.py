"""A simulated FluentCRM, shared by the demo, the tests and the benchmarks.

It behaves like the recordings of a real one (FluentCRM 2.9.84 with Pro 2.8.45), oddities included, but only as far as
Memberhook uses it. Of Memberhook it imports only errors: `crm.py` is the CRM to drive, `server.py` runs it.
"""

from memberhook.testing.fluentcrm.crm import SimulatedFluentCRM
from memberhook.testing.fluentcrm.server import Running

__all__ = ["Running", "SimulatedFluentCRM"]
