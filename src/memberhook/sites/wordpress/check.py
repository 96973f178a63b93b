"""A look at a WordPress as a site: address, certificate, REST API, credentials, rights, and which way to take.

Its one decision: nothing is changed. All that is learned goes into the facts:

`way`: "connector" or "core"; `plain`: its REST API is at ?rest_route=; `roles`: list of {slug, title, privileged};
`meta_keys`: of user meta that can be written. Of the connector alone: `connector`, `wordpress`, `php` (versions),
`multisite`, `default_role`, `fluentcrm` (version or null), `rehash` (weak hashes are hashed again at log-in). Of
WordPress alone: `batch` (many users may be written in one call), `meta` (registered meta key → its JSON type), `notes`
(it keeps a note of what a user was created for).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from memberhook import __version__
from memberhook.core.check_result import CheckResult
from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.http_client import Response, read_json
from memberhook.core.json_access import object_at
from memberhook.sites.contract import SiteCheck
from memberhook.sites.wordpress import known_roles
from memberhook.sites.wordpress.rest_check import bad, good, inspect, no_passwords, takes_no_passwords
from memberhook.sites.wordpress.rest_client import Rest
from memberhook.sites.wordpress.rest_errors import problem, rest_code
from memberhook.sites.wordpress.site_data import SiteCapabilities
from memberhook.sites.wordpress.users import PREFERENCES, ROUTE, Users

CONNECTOR = "memberhook/v1"
RIGHTS = ("list_users", "create_users", "edit_users", "promote_users")
_FROM_CONNECTOR = (
    *("connector", "wordpress", "php", "multisite", "default_role", "roles", "meta_keys", "fluentcrm", "rehash"),
)
_META_TYPES = frozenset({"string", "integer", "number", "boolean", "array"})
_MAKE_ONE = (
    "Make an application password for that user (in WordPress: Users, Edit, Application Passwords); the password for "
    "logging in does not work here."
)
_STRIPPED = (
    "the web server keeps the Authorization header from WordPress. Apache: add `CGIPassAuth On` or `SetEnvIf "
    'Authorization "(.*)" HTTP_AUTHORIZATION=$1` to .htaccess. nginx: add `fastcgi_param HTTP_AUTHORIZATION '
    "$http_authorization;`."
)
_GET_IT = (
    "Get it with `memberhook wordpress plugin --output memberhook-connector.zip` and upload it there under Plugins > "
    "Add Plugin (older: Add New) > Upload Plugin."
)


def check(rest: Rest) -> SiteCheck:
    """Findings up to the first without which nothing works. Never raises `RetryLater` or `GiveUp`."""
    results, index = inspect(rest)
    if index is None:
        return SiteCheck(tuple(results))
    mine, user_capabilities = _credentials(rest, index)
    results.append(mine)
    if not mine.ok:
        return SiteCheck(tuple(results))
    try:
        site, connector = _connector(rest, index)
        results.append(
            _rights(rest, site.get("rights") if site else user_capabilities, network=bool(site.get("multisite")))
        )
        if not results[-1].ok:
            return SiteCheck(tuple(results))
        if connector.needed and not connector.ok:
            return SiteCheck((*results, connector))
        capabilities = (
            {name: site[name] for name in _FROM_CONNECTOR if name in site} if site else _core_capabilities(rest)
        )
    except (TransientError, PermanentError) as error:
        return SiteCheck((*results, bad("users", error)))
    transport = "connector" if site else "core"
    results.append(connector)
    if not site:
        results.append(_roles(capabilities))
    return SiteCheck(tuple(results), {"transport": transport, "plain": rest.plain, **capabilities})


def _credentials(rest: Rest, index: Mapping[str, object]) -> tuple[CheckResult, Mapping[str, object]]:
    """Whether we are who we say, and our capabilities: WordPress tells everybody about themselves."""
    try:
        params = [("context", "edit"), ("_fields", "id,capabilities")]
        answer = rest.answer("GET", f"{ROUTE}/me", params=params)
        error = problem(answer, rest.site)
        if error is None:
            held = object_at(read_json(answer, rest.site), "capabilities")
            return good("credentials", "User name and application password are right."), held
    except (TransientError, PermanentError) as broken:
        return bad("credentials", broken), {}
    if answer.status == 401 and error.code == "wrong_password" and (words := _not_let_in(rest, index, answer)):
        return CheckResult("credentials", False, words), {}
    if answer.status == 404:
        message = f"WordPress at {rest.site} tells nothing about users: a plugin has switched {ROUTE} off. Allow it."
        return CheckResult("credentials", False, message), {}
    return bad("credentials", error), {}


def _not_let_in(rest: Rest, index: Mapping[str, object], answer: Response) -> str:
    """Why WordPress has let nobody in; empty where its own code says that this name or password is wrong.

    Most often it says `rest_not_logged_in` whether they are wrong or have never arrived (measured with 6.1 and 7.1: it
    looks at credentials only after it has asked whether they are wrong). XML-RPC takes them without a header.
    """
    code = rest_code(answer)
    if code == "application_passwords_disabled_for_user":
        return f"WordPress at {rest.site} allows this user no application passwords. A security plugin may decide that."
    if code == "application_passwords_disabled" or (code == "rest_not_logged_in" and takes_no_passwords(index)):
        return _switched_off(rest)
    if code != "rest_not_logged_in":
        return ""
    taken = rest.takes_login()
    if taken is False:
        return f"WordPress at {rest.site} knows no such user name with this password. {_MAKE_ONE}"
    if not rest.is_application_password:
        return f"The password is no application password of WordPress; those have 24 letters and digits. {_MAKE_ONE}"
    if taken:
        return f"User name and password are right, but {_STRIPPED}"
    return f"User name or password is wrong, or {_STRIPPED} {_MAKE_ONE}"


def _switched_off(rest: Rest) -> str:
    if rest.base.startswith("https://"):
        return (
            f"Application passwords are switched off at {rest.site}, by a security plugin or because WordPress does "
            "not know that it is reached by https:// (behind a proxy). Switch them on."
        )
    return f"{no_passwords(rest.site)} Give the address with https://."


def _rights(rest: Rest, held: object, *, network: bool) -> CheckResult:
    missing = [right for right in RIGHTS if not object_at(held).get(right)]
    if not missing:
        return good("rights", "The user may list, make and change users and give them roles.")
    mend = (
        "On a network of sites these are for super admins: take one."
        if network
        else "Take an administrator, or give its role these capabilities."
    )
    return CheckResult("rights", False, f"The user at {rest.site} lacks the rights {', '.join(missing)}. {mend}")


def _connector(rest: Rest, index: Mapping[str, object]) -> tuple[dict[str, Any], CheckResult]:
    """What the connector tells of its site; nothing without one. One that is there has to work: members made without it
    would lack what it does, and nobody would notice."""
    namespaces = index.get("namespaces")
    if isinstance(namespaces, list) and CONNECTOR not in namespaces:
        return {}, _without("The connector plugin is not there. It is not needed, but without it")
    answer = rest.answer("GET", f"/{CONNECTOR}/site")
    if answer.status == 404:
        return {}, _without("The connector plugin is not there. It is not needed, but without it")
    error = problem(answer, rest.site)
    if error is None:
        site = dict(object_at(read_json(answer, rest.site)))
        if isinstance(site.get("roles"), list) and site.get("connector"):
            return site, _version(str(site["connector"]))
        error = TransientError("its answer has another shape than known.", code="bad_answer")
    message = (
        f"The connector plugin is there, but does not work: {error.message} Mend it, or deactivate it to do without it."
    )
    return {}, CheckResult("connector", False, message)


def _version(theirs: str) -> CheckResult:
    if theirs == __version__:
        return good("connector", f"The connector plugin {theirs} answers.")
    message = f"The connector plugin there is {theirs}, the one of this Memberhook {__version__}. {_GET_IT}"
    return CheckResult("connector", False, message, needed=False)


def _without(beginning: str) -> CheckResult:
    message = (
        f"{beginning} WordPress sends no welcome e-mails, tags and all fields but WordPress's own and registered ones "
        "are kept by Memberhook alone, roles are known only as far as some user has them, and members are made more "
        f"slowly. {_GET_IT}"
    )
    return CheckResult("connector", False, message, needed=False)


def _core_capabilities(rest: Rest) -> dict[str, Any]:
    answer = rest.answer("OPTIONS", ROUTE)
    error = problem(answer, rest.site)
    if error is not None:
        raise error
    told = read_json(answer, rest.site)
    endpoints = object_at(told).get("endpoints")
    writing = [e for e in (endpoints if isinstance(endpoints, list) else ()) if "POST" in _methods(e)]
    batch = bool(writing) and all(object_at(endpoint, "allow_batch").get("v1") for endpoint in writing)
    schema = object_at(told, "schema", "properties", "meta", "properties")
    notes = object_at(schema, PREFERENCES).get("additionalProperties") is True
    known, meta = known_roles.to_capabilities(known_roles.learn(Users(rest, batch=False))), _meta(schema)
    return {"batch": batch, "meta": meta, "meta_keys": sorted(meta), "notes": notes, "roles": known}


def _methods(endpoint: object) -> list[object]:
    methods = object_at(endpoint).get("methods")
    return methods if isinstance(methods, list) else []


def _meta(schema: Mapping[str, object]) -> dict[str, str]:
    """Registered meta whose values ours can be."""
    types = {name: object_at(schema[name]).get("type") for name in schema}
    return {name: type_ for name, type_ in types.items() if isinstance(type_, str) and type_ in _META_TYPES}


def _roles(capabilities: Mapping[str, Any]) -> CheckResult:
    names = ", ".join(
        role.slug + (" (privileged)" if role.privileged else "") for role in SiteCapabilities.of(capabilities).roles
    )
    message = (
        f"Known roles: {names}. WordPress's REST API lists none, so a role that no user has (or only old ones of very "
        "many) cannot be given: give it to some user and check again, or install the connector plugin."
    )
    return good("roles", message)
