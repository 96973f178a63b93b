"""4 LOAD: one call to FluentCRM's part of WordPress's REST API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from memberhook.crms.base import Account
from memberhook.crms.fluentcrm.errors import problem
from memberhook.crms.reading import BadFieldError, Foreign
from memberhook.errors import RetryLater
from memberhook.net import HttpClient, read_json
from memberhook.wordpress.rest import Params, Rest

NAMESPACE = "/fluent-crm/v2"


class FluentCrmRest(Rest):
    def __init__(self, account: Account, http: HttpClient) -> None:
        super().__init__(account.url, account.username, account.password, http)

    def call(
        self, method: str, path: str, *, params: Params = (), json: object = None, contact: bool = False
    ) -> Foreign:
        """FluentCRM's answer. Raises `RetryLater` or `GiveUp`; `contact`: one contact is asked for (`contact_gone`)."""
        response = self.answer(method, NAMESPACE + path, params=params, json=json)
        error = problem(response, self.site, contact=contact)
        if error is not None:
            raise error
        return Foreign(read_json(response, self.site))

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turns `BadFieldError` into `RetryLater` (`bad_answer`)."""
        try:
            yield
        except BadFieldError as error:
            message = f"FluentCRM at {self.site} gave an answer of another shape than known ({error})."
            raise RetryLater(message, code="bad_answer") from error
