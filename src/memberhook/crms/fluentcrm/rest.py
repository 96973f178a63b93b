"""4 LOAD: one call to FluentCRM's REST API, by whichever of WordPress's two ways is open.

Its one decision: an answer that is no JSON at /wp-json is asked for once more at `?rest_route=` (plain permalinks), and
the way that worked is remembered. A site with plain permalinks answers 301, 404 or 200 with a page (measured).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

from memberhook.crms.base import Account
from memberhook.crms.fluentcrm.errors import is_rest, problem
from memberhook.crms.reading import BadFieldError, Foreign
from memberhook.errors import GiveUp, RetryLater
from memberhook.net import HttpClient, Response, read_json

Params = Sequence[tuple[str, str]]

NAMESPACE = "/fluent-crm/v2"
_WORDPRESS_PATH = re.compile(r"/(?:wp-json|wp-admin|wp-login\.php|index\.php)(?:/|$)")


class Rest:
    """Speaks to one site as one user. `site` is how messages name it; `plain`: the way by `?rest_route=` has worked."""

    def __init__(self, account: Account, http: HttpClient) -> None:
        self.base = base_address(account.url)
        self.site = self.base.partition("://")[2]
        self._http = http
        pair = f"{account.username}:{account.password}".encode()
        self._headers = {
            "Authorization": "Basic " + base64.b64encode(pair).decode("ascii"),
            "Accept": "application/json",
        }
        self.plain = False

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

    def answer(self, method: str, route: str, *, params: Params = (), json: object = None) -> Response:
        """The answer of any status to a REST route (`/` is the API's index)."""
        first: Response | RetryLater
        try:
            first = self._send(method, route, params, json, self.plain)
        except RetryLater as error:
            if error.code != "redirected":
                raise
            first = error
        if isinstance(first, Response) and (is_rest(first) or first.status == 429 or first.status >= 500):
            return first
        second = self._other_way(method, route, params, json)
        if second is not None:
            self.plain = not self.plain
            return second
        if isinstance(first, RetryLater):
            raise first
        return first

    def _other_way(self, method: str, route: str, params: Params, json: object) -> Response | None:
        try:
            response = self._send(method, route, params, json, not self.plain)
        except (RetryLater, GiveUp):
            return None
        return response if is_rest(response) else None

    def _send(self, method: str, route: str, params: Params, json: object, plain: bool) -> Response:
        url = f"{self.base}/" if plain else f"{self.base}/wp-json{route}"
        all_params = [("rest_route", route), *params] if plain else params
        return self._http.request(method, url, headers=self._headers, params=all_params, json=json)


def base_address(url: str) -> str:
    """The site's address from what its owner pasted: without /wp-json, /wp-admin, query, or slash at the end.

    A sub-folder stays. `https://` is put before an address without a scheme. What cannot be read stays as it is: the
    HTTP client says what is wrong with it.
    """
    text = url.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:
        return text
    found = _WORDPRESS_PATH.search(parts.path)
    path = parts.path[: found.start()] if found else parts.path
    return urlunsplit((parts.scheme, parts.netloc, path.rstrip("/"), "", ""))
