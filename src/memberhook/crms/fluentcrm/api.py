"""One call to FluentCRM's part of WordPress's REST API."""

from __future__ import annotations

from contextlib import AbstractContextManager

from memberhook.core.http_client import HttpClient, read_json
from memberhook.core.json_access import JsonCursor, reading
from memberhook.crms.contract import Account
from memberhook.crms.fluentcrm.api_errors import api_error
from memberhook.sites.wordpress.rest.rest_client import Params, RestClient

NAMESPACE = "/fluent-crm/v2"


class FluentCrmApi(RestClient):
    def __init__(self, account: Account, http: HttpClient) -> None:
        super().__init__(account.url, account.username, account.password, http)

    def call(
        self, method: str, path: str, *, params: Params = (), json: object = None, one_contact: bool = False
    ) -> JsonCursor:
        """FluentCRM's answer. Raises `TransientError` or `PermanentError`. `one_contact`: see `api_error`."""
        response = self.request(method, NAMESPACE + path, params=params, json=json)
        error = api_error(response, self.site, one_contact=one_contact)
        if error is not None:
            raise error
        return JsonCursor(read_json(response, self.site))

    def reading(self) -> AbstractContextManager[None]:
        """For reading an answer: turns `BadFieldError` into `TransientError` (`bad_answer`)."""
        return reading(f"FluentCRM at {self.site}")
