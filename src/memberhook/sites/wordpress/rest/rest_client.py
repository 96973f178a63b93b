"""Calls to a WordPress's REST API, at /wp-json or, with plain permalinks, at ?rest_route=.

With plain permalinks, /wp-json responds with 301, 404, or 200 and a page (measured). So a response that is not JSON is
requested once more at the other URL, and whichever worked is used from then on.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit
from xml.sax.saxutils import escape

from memberhook.core.error_codes import ErrorCode
from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.http_client import HttpClient, Response
from memberhook.sites.wordpress.rest.rest_errors import is_json

Params = Sequence[tuple[str, str]]

_WORDPRESS_PATH = re.compile(r"/(?:wp-json|wp-admin|wp-login\.php|index\.php)(?:/|$)")


class RestClient:
    """One site, as one user with an application password.

    `base`: the site's URL; `site`: what messages call it; `plain_permalinks`: the API is at ?rest_route=.
    """

    def __init__(
        self, url: str, username: str, password: str, http: HttpClient, *, plain_permalinks: bool = False
    ) -> None:
        self.base = base_address(url)
        self.site = self.base.partition("://")[2]
        self.plain_permalinks = plain_permalinks
        self._http = http
        self._username, self._password = username, password
        credentials = f"{username}:{password}".encode()
        self._headers = {
            "Authorization": "Basic " + base64.b64encode(credentials).decode("ascii"),
            "Accept": "application/json",
        }

    def request(self, method: str, route: str, *, params: Params = (), json: object = None) -> Response:
        """The response of a REST route (`/` is the API's index). Raises as `HttpClient.request`."""
        plain = self.plain_permalinks  # another thread may change it meanwhile
        first: Response | TransientError
        try:
            first = self._send(method, route, params, json, plain)
        except TransientError as error:
            if error.code != ErrorCode.REDIRECTED:
                raise
            first = error
        if isinstance(first, Response) and (is_json(first) or first.status == 429 or first.status >= 500):
            return first
        second = self._json_or_none(method, route, params, json, not plain)
        if second is not None:
            self.plain_permalinks = not plain
            return second
        if isinstance(first, TransientError):
            raise first
        return first

    def xmlrpc_accepts_login(self) -> bool | None:
        """Whether XML-RPC accepts username and password, which it takes without a header; None if it does not say.

        It also accepts the log-in password: see `is_application_password`.
        """
        values = "".join(f"<param><value>{escape(text)}</value></param>" for text in (self._username, self._password))
        call = f"<methodCall><methodName>wp.getUsersBlogs</methodName><params>{values}</params></methodCall>"
        body, headers = call.encode(errors="replace"), {"Content-Type": "text/xml"}
        try:
            response = self._http.request("POST", f"{self.base}/xmlrpc.php", headers=headers, body=body).body
        except (TransientError, PermanentError):
            return None
        if b"<fault>" in response:
            return False if b"<int>403</int>" in response else None
        return True if b"<methodResponse>" in response else None

    @property
    def is_application_password(self) -> bool:
        """Whether the password has the form of one: 24 letters and digits, with or without spaces."""
        return re.fullmatch(r"(?:\s*[A-Za-z0-9]){24}\s*", self._password) is not None

    def _json_or_none(self, method: str, route: str, params: Params, json: object, plain: bool) -> Response | None:
        try:
            response = self._send(method, route, params, json, plain)
        except (TransientError, PermanentError):
            return None
        return response if is_json(response) else None

    def _send(self, method: str, route: str, params: Params, json: object, plain: bool) -> Response:
        url = f"{self.base}/" if plain else f"{self.base}/wp-json{route}"
        all_params = [("rest_route", route), *params] if plain else params
        return self._http.request(method, url, headers=self._headers, params=all_params, json=json)


def base_address(url: str) -> str:
    """The site's URL from what its owner pasted: without /wp-json, /wp-admin, query, or trailing slash.

    A sub-folder stays; a missing scheme becomes https://. What cannot be parsed is returned as it is: the HTTP client
    reports what is wrong with it.
    """
    text = url.strip()
    try:
        parts = urlsplit(text if "://" in text else f"https://{text}")
    except ValueError:
        return text
    found = _WORDPRESS_PATH.search(parts.path)
    path = parts.path[: found.start()] if found else parts.path
    return urlunsplit((parts.scheme, parts.netloc, path.rstrip("/"), "", ""))
