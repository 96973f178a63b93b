"""FluentCRM, a WordPress plugin: webhooks from its automations' "Outgoing Webhook", and its part of the REST API.

Facts are recorded from FluentCRM 2.9.84 with Pro 2.8.45; those of the API also from the free edition on WordPress 6.1.
"""

from __future__ import annotations

from memberhook.crms.contract import CrmInfo
from memberhook.crms.fluentcrm.client import FluentCrmClient
from memberhook.crms.fluentcrm.webhook import read

CRM = CrmInfo(slug="fluentcrm", name="FluentCRM", read=read, client=FluentCrmClient)
