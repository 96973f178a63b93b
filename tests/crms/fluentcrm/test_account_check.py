"""The check of address, credentials and rights: how far it gets, and what it says."""

from __future__ import annotations

import socket

import pytest

from memberhook.crms.fluentcrm import FluentCrmClient
from memberhook.testing.fluentcrm import Running, SimulatedFluentCRM
from tests.crms.fluentcrm.conftest import PASSWORD, Connect, Serve
from tests.loopback import Reply, Request, json_reply, page_reply

ORDER = ["address", "certificate", "REST API", "FluentCRM", "credentials", "read right", "write right"]
READS = ["fcrm_read_contacts", "fcrm_manage_contact_cats"]
FORBIDDEN = {"code": "rest_forbidden", "message": "Sorry, you are not allowed to do that.", "data": {"status": 401}}


def stopped_at(client: FluentCrmClient) -> tuple[str, str]:
    """The name and message of the finding that is not good; those before it are, and none comes after."""
    results = client.check()
    assert [result.name for result in results] == ORDER[: len(results)]
    assert [result.ok for result in results] == [True] * (len(results) - 1) + [False]
    return results[-1].name, results[-1].message


def test_all_is_well_and_nothing_is_changed(crm: SimulatedFluentCRM, site: Running, client: FluentCrmClient) -> None:
    contact_id = crm.add_contact("ada@example.com", "Ada")
    before = crm.contact(contact_id)
    results = client.check()
    assert [(result.name, result.ok) for result in results] == [(name, True) for name in ORDER]
    assert "http://" in results[1].message
    assert crm.contact(contact_id) == before
    assert list(crm.store.contacts) == [contact_id]
    assert {method for method, _, _ in site.requests} == {"GET", "PUT"}


@pytest.mark.parametrize(
    ("fault", "name", "message"),
    [
        ("outage", "REST API", "temporarily unavailable (503)"),
        ("maintenance", "REST API", "perhaps for maintenance"),
        ("error500", "REST API", "an internal error (HTTP 500)"),
        ("rate_limited", "REST API", "is limiting the number of requests"),
        ("challenge", "REST API", "returns a challenge page"),
        ("challenge_200", "REST API", "returns a challenge page"),
        ("plugin_inactive", "FluentCRM", "the plugin is not active"),
        ("closed", "address", "closed the connection"),
    ],
)
def test_faults(crm: SimulatedFluentCRM, client: FluentCrmClient, fault: str, name: str, message: str) -> None:
    crm.fault = fault  # type: ignore[assignment]  # the names are the parameters above
    found = stopped_at(client)
    assert found[0] == name
    assert message in found[1]


@pytest.mark.parametrize("fault", ["plain_permalinks", "plain_permalinks_home"])
def test_plain_permalinks_are_no_fault(crm: SimulatedFluentCRM, client: FluentCrmClient, fault: str) -> None:
    crm.fault = fault  # type: ignore[assignment]  # the names are the parameters above
    results = client.check()
    assert all(result.ok for result in results)
    assert "?rest_route=" in results[2].message


@pytest.mark.parametrize(("username", "password"), [("memberhook", "wrong"), ("unknown", PASSWORD)])
def test_wrong_credentials(site: Running, connect: Connect, username: str, password: str) -> None:
    name, message = stopped_at(connect(site.url, username, password))
    assert name == "credentials"
    assert "Application Passwords" in message
    assert password not in message


@pytest.mark.parametrize(
    ("rights", "name", "message"),
    [
        ([], "read right", "has no rights in FluentCRM"),
        (["fcrm_read_contacts"], "read right", "not tags. Add the FluentCRM permission 'Contact Tags/List"),
        (READS, "write right", "Add the permission 'Contacts Add/Update/Import'"),
    ],
)
def test_rights(
    crm: SimulatedFluentCRM, site: Running, connect: Connect, rights: list[str], name: str, message: str
) -> None:
    crm.add_user("limited", PASSWORD, rights)
    found = stopped_at(connect(site.url, "limited"))
    assert found[0] == name
    assert message in found[1]


def test_the_least_rights_that_do(crm: SimulatedFluentCRM, site: Running, connect: Connect) -> None:
    crm.add_user("least", PASSWORD, [*READS, "fcrm_manage_contacts"])
    assert all(result.ok for result in connect(site.url, "least").check())


def test_nobody_listens(connect: Connect) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert stopped_at(connect(f"http://127.0.0.1:{port}"))[0] == "address"


@pytest.mark.parametrize("url", ["", "ftp://crm.example", "https://user:secret@crm.example"])
def test_no_address(connect: Connect, url: str) -> None:
    name, message = stopped_at(connect(url))
    assert name == "address"
    assert "secret" not in message


def test_no_tls(site: Running, connect: Connect) -> None:
    name, message = stopped_at(connect(site.url.replace("http:", "https:")))
    assert name == "certificate"
    assert "supports https" in message


def test_a_site_that_moved(connect: Connect, serve: Serve) -> None:
    name, message = stopped_at(connect(serve(Reply(301, headers={"Location": "https://127.0.0.1/"})).url))
    assert name == "address"
    assert "Use https://127.0.0.1 as the address." in message


@pytest.mark.parametrize(
    "reply", [json_reply({"hello": "world"}), json_reply([]), page_reply("My shop"), Reply(body=b'{"a": ')]
)
def test_no_wordpress(connect: Connect, serve: Serve, reply: Reply) -> None:
    assert stopped_at(connect(serve(reply).url))[0] == "REST API"


def test_a_site_without_application_passwords(connect: Connect, serve: Serve) -> None:
    def answer(request: Request) -> Reply:
        index = {"namespaces": ["fluent-crm/v2"], "authentication": []}
        return json_reply(index) if request.path == "/wp-json/" else json_reply(FORBIDDEN, 401)

    name, message = stopped_at(connect(serve(answer).url))
    assert name == "credentials"
    assert "accepts no application passwords" in message


def test_a_site_that_shows_its_index_to_nobody(crm: SimulatedFluentCRM, connect: Connect, serve: Serve) -> None:
    def answer(request: Request) -> Reply:
        hidden = request.path == "/wp-json/"
        return json_reply(FORBIDDEN, 401) if hidden else json_reply({"code": "incorrect_password"}, 401)

    assert stopped_at(connect(serve(answer).url))[0] == "credentials"


def test_trouble_in_the_last_step(connect: Connect, serve: Serve) -> None:
    def answer(request: Request) -> Reply:
        if request.method == "PUT":
            return page_reply("Method not allowed", 405)
        rows = {"data": []}
        return json_reply({"namespaces": ["fluent-crm/v2"], "subscribers": rows, "tags": rows, "lists": []})

    assert stopped_at(connect(serve(answer).url))[0] == "write right"


@pytest.mark.parametrize("index", [json_reply({"code": "rest_no_route"}, 404), page_reply("Hidden", 404)])
def test_where_fluentcrm_answers_nobody_asks_wordpress(connect: Connect, serve: Serve, index: Reply) -> None:
    """Security plugins hide what the REST API says of itself."""

    def answer(request: Request) -> Reply:
        if request.path == "/wp-json/":
            return index
        if request.method == "PUT":
            return json_reply({"message": "No query results for model [FluentCrm\\App\\Models\\Subscriber]."}, 404)
        rows = {"data": []}
        return json_reply({"subscribers": rows, "tags": rows, "lists": []})

    results = connect(serve(answer).url).check()
    assert [(result.name, result.ok) for result in results] == [(name, True) for name in ORDER]


def test_only_the_right_to_write_is_not_needed(connect: Connect, serve: Serve) -> None:
    def answer(request: Request) -> Reply:
        if request.method == "PUT":
            return json_reply(FORBIDDEN, 403)
        rows = {"data": []}
        return json_reply({"subscribers": rows, "tags": rows, "lists": []})

    results = connect(serve(answer).url).check()
    assert [result.name for result in results if not result.ok] == ["write right"]
    assert [result.name for result in results if not result.needed] == ["write right"]
