"""One call to a WordPress's REST API, by whichever of its two ways is open.

Its one decision: an answer that is no JSON at /wp-json is asked for once more at `?rest_route=` (plain permalinks), and
the way that worked is remembered. A site with plain permalinks answers 301, 404 or 200 with a page (measured).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from urllib.parse import urlsplit, urlunsplit
from xml.sax.saxutils import escape

from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.http_client import HttpClient, Response
from memberhook.sites.wordpress.rest_errors import is_rest

Params = Sequence[tuple[str, str]]

_WORDPRESS_PATH = re.compile(r"/(?:wp-json|wp-admin|wp-login\.php|index\.php)(?:/|$)")


class Rest:
    """Speaks to one site as one user, with an application password.

    `base` is the site's address, `site` how messages name it; `plain`: the way by `?rest_route=` has worked.
    """

    def __init__(self, url: str, username: str, password: str, http: HttpClient, *, plain: bool = False) -> None:
        self.base = base_address(url)
        self.site = self.base.partition("://")[2]
        self.plain = plain
        self._http = http
        self._username, self._password = username, password
        pair = f"{username}:{password}".encode()
        self._headers = {
            "Authorization": "Basic " + base64.b64encode(pair).decode("ascii"),
            "Accept": "application/json",
        }

    def answer(self, method: str, route: str, *, params: Params = (), json: object = None) -> Response:
        """The answer of any status to a REST route (`/` is the API's index). Raises what `HttpClient.request` does."""
        plain = self.plain  # another thread may turn it meanwhile
        first: Response | TransientError
        try:
            first = self._send(method, route, params, json, plain)
        except TransientError as error:
            if error.code != "redirected":
                raise
            first = error
        if isinstance(first, Response) and (is_rest(first) or first.status == 429 or first.status >= 500):
            return first
        second = self._other_way(method, route, params, json, not plain)
        if second is not None:
            self.plain = not plain
            return second
        if isinstance(first, TransientError):
            raise first
        return first

    def takes_login(self) -> bool | None:
        """Whether WordPress takes user name and password where no header is needed (XML-RPC); None where it tells
        nobody. There it takes the password for logging in, too: see `is_application_password`."""
        values = "".join(f"<param><value>{escape(text)}</value></param>" for text in (self._username, self._password))
        call = f"<methodCall><methodName>wp.getUsersBlogs</methodName><params>{values}</params></methodCall>"
        body, headers = call.encode(errors="replace"), {"Content-Type": "text/xml"}
        try:
            answer = self._http.request("POST", f"{self.base}/xmlrpc.php", headers=headers, body=body).body
        except (TransientError, PermanentError):
            return None
        if b"<fault>" in answer:
            return False if b"<int>403</int>" in answer else None
        return True if b"<methodResponse>" in answer else None

    @property
    def is_application_password(self) -> bool:
        """By its looks: 24 letters and digits, with or without spaces."""
        return re.fullmatch(r"(?:\s*[A-Za-z0-9]){24}\s*", self._password) is not None

    def _other_way(self, method: str, route: str, params: Params, json: object, plain: bool) -> Response | None:
        try:
            response = self._send(method, route, params, json, plain)
        except (TransientError, PermanentError):
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
