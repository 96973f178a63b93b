"""4 LOAD: one call to FluentCRM's part of WordPress's REST API."""

from __future__ import annotations

from contextlib import AbstractContextManager

from memberhook.core.http_client import HttpClient, read_json
from memberhook.core.json_access import JsonCursor, reading
from memberhook.crms.contract import Account
from memberhook.crms.fluentcrm.api_errors import problem
from memberhook.sites.wordpress.rest_client import Params, Rest

NAMESPACE = "/fluent-crm/v2"


class FluentCrmRest(Rest):
    def __init__(self, account: Account, http: HttpClient) -> None:
        super().__init__(account.url, account.username, account.password, http)

    def call(
        self, method: str, path: str, *, params: Params = (), json: object = None, contact: bool = False
    ) -> JsonCursor:
        """FluentCRM's answer. Raises `RetryLater` or `GiveUp`; `contact`: one contact is asked for (`contact_gone`)."""
        response = self.answer(method, NAMESPACE + path, params=params, json=json)
        error = problem(response, self.site, contact=contact)
        if error is not None:
            raise error
        return JsonCursor(read_json(response, self.site))

    def reading(self) -> AbstractContextManager[None]:
        """Around the reading of an answer: `BadFieldError` becomes `RetryLater` (`bad_answer`)."""
        return reading(f"FluentCRM at {self.site}")
