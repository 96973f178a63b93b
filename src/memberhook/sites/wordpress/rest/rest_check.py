"""The first checks of any WordPress, in the order in which they can fail: address, certificate, REST API."""

from __future__ import annotations

from collections.abc import Mapping

from memberhook.core.check_result import CheckResult, failed, passed
from memberhook.core.error_codes import ErrorCode
from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.http_client import Response, read_json
from memberhook.sites.wordpress.rest.rest_client import RestClient
from memberhook.sites.wordpress.rest.rest_errors import WORDPRESS, Product, is_json, response_error

INDEX_FIELDS = "name,namespaces,authentication"


def check_rest_api(
    rest: RestClient, product: Product = WORDPRESS
) -> tuple[list[CheckResult], Mapping[str, object] | None]:
    """Results up to the first failure, and the API's index (`INDEX_FIELDS`). Never raises what calls raise.

    The index is None after a failure, and empty where the API hides it from visitors.
    """
    try:
        response = rest.request("GET", "/", params=[("_fields", INDEX_FIELDS)])
    except (TransientError, PermanentError) as error:
        if error.code == ErrorCode.CERTIFICATE:
            return [_address(rest), failed("certificate", error)], None
        return [failed("address", error)], None
    try:
        index = _index(rest, response, product)
    except TransientError as error:
        return [_address(rest), _certificate(rest), failed("REST API", error)], None
    return rest_api_passed(rest), index


def rest_api_passed(rest: RestClient) -> list[CheckResult]:
    """The results once the REST API has responded."""
    where = "?rest_route= (plain permalinks)" if rest.plain_permalinks else "/wp-json"
    return [_address(rest), _certificate(rest), passed("REST API", f"WordPress's REST API responds at {where}.")]


def has_no_application_passwords(index: Mapping[str, object]) -> bool:
    """Whether the API's index says that it accepts no application passwords."""
    return index.get("authentication") == []


def no_application_passwords(site: str) -> str:
    return (
        f"WordPress at {site} accepts no application passwords: it offers them on https:// only, and a security "
        "plugin may have disabled them."
    )


def _address(rest: RestClient) -> CheckResult:
    return passed("address", f"{rest.site} responds.")


def _certificate(rest: RestClient) -> CheckResult:
    if rest.base.startswith("https://"):
        return passed("certificate", "The certificate is valid.")
    return passed("certificate", "The address starts with http://, so the password is sent unencrypted. Use https://.")


def _index(rest: RestClient, response: Response, product: Product) -> Mapping[str, object]:
    """Raises `TransientError`. An index that is hidden from visitors (401, 403) is not a failure."""
    if is_json(response) and response.status in {401, 403}:
        return {}
    error = response_error(response, rest.site, product)
    if error is not None:
        raise error
    index = read_json(response, rest.site)
    if isinstance(index, dict) and isinstance(index.get("namespaces"), list):
        return index
    message = f"{rest.site} responds, but not like a WordPress. Check that this is the address of the WordPress site."
    raise TransientError(message, code=ErrorCode.BAD_ANSWER)
