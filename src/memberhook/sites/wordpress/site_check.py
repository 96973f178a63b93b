"""The check of a WordPress as a site: address, certificate, REST API, credentials, rights, and which transport to use.

It changes nothing there. What it learns becomes the site's capabilities (JSON in the site's row):

`transport`: "connector" or "core"; `plain_permalinks`: the REST API is at ?rest_route=; `roles`: list of {slug, title,
privileged}; `meta_keys`: the user meta that can be written. With the connector also `connector`, `wordpress`, `php`
(versions), `multisite`, `default_role`, `fluentcrm` (version or null), `rehash` (passwords with a cheap hash are hashed
again at log-in). Over core's REST API also `batch` (many users may be written in one call), `meta_types` (registered
meta key → its JSON type), `stores_idempotency_key`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memberhook import __version__
from memberhook.core.check_result import CheckResult, failed, passed
from memberhook.core.error_codes import ErrorCode
from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.http_client import Response, read_json
from memberhook.core.json_access import object_at
from memberhook.sites.contract import SiteCheck
from memberhook.sites.wordpress.rest.rest_check import (
    check_rest_api,
    has_no_application_passwords,
    no_application_passwords,
)
from memberhook.sites.wordpress.rest.rest_client import RestClient
from memberhook.sites.wordpress.rest.rest_errors import response_error, rest_code
from memberhook.sites.wordpress.role_discovery import discover_roles
from memberhook.sites.wordpress.site_data import SiteCapabilities, Transport, roles_to_json
from memberhook.sites.wordpress.users_api import PREFERENCES, ROUTE, UsersApi

CONNECTOR = "memberhook/v1"
RIGHTS = ("list_users", "create_users", "edit_users", "promote_users")
CAPABILITY = "memberhook_manage_members"
"""The connector's own: it is enough for all of its routes."""
_SURPLUS_RIGHTS = (
    "The WordPress user can do more than Memberhook needs: anyone who has its application password can manage all "
    "users. In WordPress, press the button under Settings > Memberhook, which creates a user for Memberhook alone, and "
    "run the command that it shows. Then revoke the old user's application password."
)
_FROM_CONNECTOR = frozenset(
    {"connector", "wordpress", "php", "multisite", "default_role", "roles", "meta_keys", "fluentcrm", "rehash"}
)
_META_TYPES = frozenset({"string", "integer", "number", "boolean", "array"})
_HOW_TO_CREATE_ONE = (
    "Create an application password for that user (in WordPress: Users > Edit > Application Passwords); the log-in "
    "password does not work here."
)
_HEADER_REMOVED = (
    "the web server does not pass the Authorization header on to WordPress. Apache: add `CGIPassAuth On` or `SetEnvIf "
    'Authorization "(.*)" HTTP_AUTHORIZATION=$1` to .htaccess. nginx: add `fastcgi_param HTTP_AUTHORIZATION '
    "$http_authorization;`."
)
_GET_CONNECTOR = (
    "Get it with `memberhook wordpress plugin --output memberhook-connector.zip` and upload it there under Plugins > "
    "Add Plugin (in older versions: Add New) > Upload Plugin."
)


def check(rest: RestClient) -> SiteCheck:
    """Results up to the first failure. Never raises what calls raise."""
    results, index = check_rest_api(rest)
    if index is None:
        return SiteCheck(tuple(results))
    credentials, user_capabilities = _credentials(rest, index)
    results.append(credentials)
    if not credentials.ok:
        return SiteCheck(tuple(results))
    try:
        site, connector = _connector(rest, index)
        rights = site.get("rights") if site else user_capabilities
        results.append(_rights(rest, rights, connector=bool(site) or connector.needed))
        if not results[-1].ok:
            return SiteCheck(tuple(results))
        if site.get("surplus_rights"):
            results.append(CheckResult("user", False, _SURPLUS_RIGHTS, needed=False))
        if connector.needed and not connector.ok:
            return SiteCheck((*results, connector))
        found = {name: site[name] for name in _FROM_CONNECTOR if name in site} if site else _core_capabilities(rest)
    except (TransientError, PermanentError) as error:
        return SiteCheck((*results, failed("users", error)))
    capabilities = {
        "transport": (Transport.CONNECTOR if site else Transport.CORE).value,
        "plain_permalinks": rest.plain_permalinks,
        **found,
    }
    results.append(connector)
    if not site:
        results.append(_roles(capabilities))
    return SiteCheck(tuple(results), capabilities)


def _credentials(rest: RestClient, index: Mapping[str, object]) -> tuple[CheckResult, Mapping[str, object]]:
    """Whether WordPress accepts us, and our user's capabilities: every user may read their own."""
    try:
        params = [("context", "edit"), ("_fields", "id,capabilities")]
        response = rest.request("GET", f"{ROUTE}/me", params=params)
        error = response_error(response, rest.site)
        if error is None:
            user_capabilities = object_at(read_json(response, rest.site), "capabilities")
            return passed("credentials", "Username and application password are correct."), user_capabilities
    except (TransientError, PermanentError) as call_error:
        return failed("credentials", call_error), {}
    if response.status == 401 and error.code == ErrorCode.WRONG_PASSWORD:
        return failed("credentials", _login_problem(rest, index, response) or error), {}
    if response.status == 404:
        message = f"WordPress at {rest.site} does not show users: a plugin has disabled {ROUTE}. Allow it."
        return failed("credentials", message), {}
    return failed("credentials", error), {}


def _login_problem(rest: RestClient, index: Mapping[str, object], response: Response) -> str:
    """Why WordPress rejects the log-in; empty if its own code says that this name or password is wrong.

    It usually says `rest_not_logged_in`, whether they are wrong or never arrived (measured with 6.1 and 7.1). XML-RPC
    accepts them without a header, so it can tell.
    """
    code = rest_code(response)
    if code == "application_passwords_disabled_for_user":
        return f"WordPress at {rest.site} allows this user no application passwords; a security plugin may decide that."
    if code == "application_passwords_disabled" or (
        code == "rest_not_logged_in" and has_no_application_passwords(index)
    ):
        return _application_passwords_disabled(rest)
    if code != "rest_not_logged_in":
        return ""
    accepted = rest.xmlrpc_accepts_login()
    if accepted is False:
        return f"WordPress at {rest.site} has no user with this name and password. {_HOW_TO_CREATE_ONE}"
    if not rest.is_application_password:
        return (
            "The password is not an application password of WordPress; those have 24 letters and digits. "
            f"{_HOW_TO_CREATE_ONE}"
        )
    if accepted:
        return f"Username and password are correct, but {_HEADER_REMOVED}"
    return f"Username or password is wrong, or {_HEADER_REMOVED} {_HOW_TO_CREATE_ONE}"


def _application_passwords_disabled(rest: RestClient) -> str:
    if rest.base.startswith("https://"):
        return (
            f"Application passwords are disabled at {rest.site}, by a security plugin or because WordPress does not "
            "know that it is reached over https:// (behind a proxy). Enable them."
        )
    return f"{no_application_passwords(rest.site)} Give the address with https://."


def _rights(rest: RestClient, rights: object, *, connector: bool) -> CheckResult:
    if connector and object_at(rights).get(CAPABILITY):
        return passed("rights", "The user may find, create and change members.")
    missing = [right for right in RIGHTS if not object_at(rights).get(right)]
    if not missing:
        return passed("rights", "The user may list, create and edit users and assign roles.")
    if connector:
        return failed(
            "rights",
            f"The user at {rest.site} may not manage members. In WordPress, create a user for Memberhook under "
            "Settings > Memberhook (on a network: as a super admin), and run the command that is shown there.",
        )
    return failed(
        "rights",
        f"The user at {rest.site} lacks the rights {', '.join(missing)}. Use an administrator (on a network: a super "
        "admin), or give the user's role these capabilities.",
    )


def _connector(rest: RestClient, index: Mapping[str, object]) -> tuple[dict[str, Any], CheckResult]:
    """What the connector says about its site; empty without one.

    A connector that is installed but fails is an error: members created without it would silently lack what it does.
    """
    namespaces = index.get("namespaces")
    if isinstance(namespaces, list) and CONNECTOR not in namespaces:
        return {}, _no_connector()
    response = rest.request("GET", f"/{CONNECTOR}/site")
    if response.status == 404:
        return {}, _no_connector()
    error = response_error(response, rest.site)
    if error is None:
        site = dict(object_at(read_json(response, rest.site)))
        if isinstance(site.get("roles"), list) and site.get("connector"):
            return site, _connector_version(str(site["connector"]))
        error = TransientError("its response has an unknown format.", code=ErrorCode.BAD_ANSWER)
    message = (
        f"The connector plugin is installed but does not work: {error.message} Repair it, or deactivate it to do "
        "without."
    )
    return {}, failed("connector", message)


def _connector_version(installed: str) -> CheckResult:
    if installed == __version__:
        return passed("connector", f"The connector plugin {installed} responds.")
    message = f"The connector plugin there is {installed}; this Memberhook comes with {__version__}. {_GET_CONNECTOR}"
    return failed("connector", message, needed=False)


def _no_connector() -> CheckResult:
    message = (
        "The connector plugin is not installed. It is optional, but without it WordPress sends no welcome e-mails; "
        "tags, and fields that are neither WordPress's own nor registered, are stored in Memberhook only; only roles "
        f"that some user has are known; and members are created more slowly. {_GET_CONNECTOR}"
    )
    return failed("connector", message, needed=False)


def _core_capabilities(rest: RestClient) -> dict[str, Any]:
    response = rest.request("OPTIONS", ROUTE)
    error = response_error(response, rest.site)
    if error is not None:
        raise error
    description = read_json(response, rest.site)
    endpoints = object_at(description).get("endpoints")
    writing = [e for e in (endpoints if isinstance(endpoints, list) else ()) if "POST" in _methods(e)]
    schema = object_at(description, "schema", "properties", "meta", "properties")
    meta_types = _meta_types(schema)
    return {
        "batch": bool(writing) and all(object_at(endpoint, "allow_batch").get("v1") for endpoint in writing),
        "meta_types": meta_types,
        "meta_keys": sorted(meta_types),
        "stores_idempotency_key": object_at(schema, PREFERENCES).get("additionalProperties") is True,
        "roles": roles_to_json(discover_roles(UsersApi(rest, batch=False))),
    }


def _methods(endpoint: object) -> list[object]:
    methods = object_at(endpoint).get("methods")
    return methods if isinstance(methods, list) else []


def _meta_types(schema: Mapping[str, object]) -> dict[str, str]:
    """The registered meta keys with a type that our values can have."""
    types = {name: object_at(schema[name]).get("type") for name in schema}
    return {name: type_ for name, type_ in types.items() if isinstance(type_, str) and type_ in _META_TYPES}


def _roles(capabilities: Mapping[str, Any]) -> CheckResult:
    names = ", ".join(
        role.slug + (" (privileged)" if role.privileged else "") for role in SiteCapabilities.of(capabilities).roles
    )
    message = (
        f"Known roles: {names}. WordPress's REST API does not list roles, so one that no user has (or only "
        "long-standing users of a very large site) cannot be assigned: give it to some user and check again, or "
        "install the connector plugin."
    )
    return passed("roles", message)
