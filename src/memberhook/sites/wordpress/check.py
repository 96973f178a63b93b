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
from memberhook.errors import GiveUp, RetryLater
from memberhook.findings import Finding
from memberhook.net import Response, read_json
from memberhook.reading import object_at
from memberhook.sites.base import Checked
from memberhook.sites.wordpress import roles
from memberhook.sites.wordpress.row import Facts
from memberhook.sites.wordpress.users import PREFERENCES, ROUTE, Users
from memberhook.wordpress.check import bad, good, look, no_passwords, takes_no_passwords
from memberhook.wordpress.errors import problem, rest_code
from memberhook.wordpress.rest import Rest

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
CAPABILITY = "memberhook_manage_members"
"""The connector's own: alone it is enough for all of its routes."""
_SURPLUS = (
    "The WordPress user can do more than Memberhook needs: whoever gets its application password can manage all users. "
    "In WordPress, press the button under Settings > Memberhook, which makes a user for Memberhook alone, and run the "
    "command that it shows. Then remove the old user's application password."
)
_GET_IT = (
    "Get it with `memberhook wordpress plugin --output memberhook-connector.zip` and upload it there under Plugins > "
    "Add Plugin (older: Add New) > Upload Plugin."
)


def check(rest: Rest) -> Checked:
    """Findings up to the first without which nothing works. Never raises `RetryLater` or `GiveUp`."""
    findings, index = look(rest)
    if index is None:
        return Checked(tuple(findings))
    mine, capabilities = _credentials(rest, index)
    findings.append(mine)
    if not mine.ok:
        return Checked(tuple(findings))
    try:
        site, connector = _connector(rest, index)
        findings.append(
            _rights(rest, site.get("rights") if site else capabilities, connector=bool(site) or connector.needed)
        )
        if not findings[-1].ok:
            return Checked(tuple(findings))
        if site.get("surplus_rights"):
            findings.append(Finding("user", False, _SURPLUS, needed=False))
        if connector.needed and not connector.ok:
            return Checked((*findings, connector))
        facts = {name: site[name] for name in _FROM_CONNECTOR if name in site} if site else _core_facts(rest)
    except (RetryLater, GiveUp) as error:
        return Checked((*findings, bad("users", error)))
    way = "connector" if site else "core"
    findings.append(connector)
    if not site:
        findings.append(_roles(facts))
    return Checked(tuple(findings), {"way": way, "plain": rest.plain, **facts})


def _credentials(rest: Rest, index: Mapping[str, object]) -> tuple[Finding, Mapping[str, object]]:
    """Whether we are who we say, and our capabilities: WordPress tells everybody about themselves."""
    try:
        params = [("context", "edit"), ("_fields", "id,capabilities")]
        answer = rest.answer("GET", f"{ROUTE}/me", params=params)
        error = problem(answer, rest.site)
        if error is None:
            held = object_at(read_json(answer, rest.site), "capabilities")
            return good("credentials", "User name and application password are right."), held
    except (RetryLater, GiveUp) as broken:
        return bad("credentials", broken), {}
    if answer.status == 401 and error.code == "wrong_password" and (words := _not_let_in(rest, index, answer)):
        return Finding("credentials", False, words), {}
    if answer.status == 404:
        message = f"WordPress at {rest.site} tells nothing about users: a plugin has switched {ROUTE} off. Allow it."
        return Finding("credentials", False, message), {}
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


def _rights(rest: Rest, held: object, *, connector: bool) -> Finding:
    if connector and object_at(held).get(CAPABILITY):
        return good("rights", "The user may find, make and change members.")
    missing = [right for right in RIGHTS if not object_at(held).get(right)]
    if not missing:
        return good("rights", "The user may list, make and change users and give them roles.")
    if connector:
        message = (
            f"The user at {rest.site} may not manage members. In WordPress, make a user for Memberhook under "
            "Settings > Memberhook (on a network: as a super admin), and run the command that is shown there."
        )
        return Finding("rights", False, message)
    mend = "Take an administrator (on a network: a super admin), or give its role these capabilities."
    return Finding("rights", False, f"The user at {rest.site} lacks the rights {', '.join(missing)}. {mend}")


def _connector(rest: Rest, index: Mapping[str, object]) -> tuple[dict[str, Any], Finding]:
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
        error = RetryLater("its answer has another shape than known.", code="bad_answer")
    message = (
        f"The connector plugin is there, but does not work: {error.message} Mend it, or deactivate it to do without it."
    )
    return {}, Finding("connector", False, message)


def _version(theirs: str) -> Finding:
    if theirs == __version__:
        return good("connector", f"The connector plugin {theirs} answers.")
    message = f"The connector plugin there is {theirs}, the one of this Memberhook {__version__}. {_GET_IT}"
    return Finding("connector", False, message, needed=False)


def _without(beginning: str) -> Finding:
    message = (
        f"{beginning} WordPress sends no welcome e-mails, tags and all fields but WordPress's own and registered ones "
        "are kept by Memberhook alone, roles are known only as far as some user has them, and members are made more "
        f"slowly. {_GET_IT}"
    )
    return Finding("connector", False, message, needed=False)


def _core_facts(rest: Rest) -> dict[str, Any]:
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
    known, meta = roles.to_facts(roles.learn(Users(rest, batch=False))), _meta(schema)
    return {"batch": batch, "meta": meta, "meta_keys": sorted(meta), "notes": notes, "roles": known}


def _methods(endpoint: object) -> list[object]:
    methods = object_at(endpoint).get("methods")
    return methods if isinstance(methods, list) else []


def _meta(schema: Mapping[str, object]) -> dict[str, str]:
    """Registered meta whose values ours can be."""
    types = {name: object_at(schema[name]).get("type") for name in schema}
    return {name: type_ for name, type_ in types.items() if isinstance(type_, str) and type_ in _META_TYPES}


def _roles(facts: Mapping[str, Any]) -> Finding:
    names = ", ".join(role.slug + (" (privileged)" if role.privileged else "") for role in Facts.of(facts).roles)
    message = (
        f"Known roles: {names}. WordPress's REST API lists none, so a role that no user has (or only old ones of very "
        "many) cannot be given: give it to some user and check again, or install the connector plugin."
    )
    return good("roles", message)
