"""DESIGN's HTTP and CLI contract, from outside, against the running service."""

from __future__ import annotations

import itertools
import re
import socket
import time
from collections.abc import Callable

import pytest

from memberhook.testing.fluentcrm import Running
from tests.server.conftest import Service

pytestmark = pytest.mark.database
numbers = itertools.count(1)


@pytest.fixture
def buyer(crm: Running) -> tuple[int, str]:
    """A new contact with the tag Course: id and e-mail."""
    email = f"buyer.{next(numbers)}@example.com"
    contact = crm.crm.add_contact(email, "Zoë", "O'Faktor", {"interests": ["a", "b"]}, tags=("Course",), city="Lisbon")
    return contact, email


def test_a_webhook_makes_a_member(service: Service, crm: Running, buyer: tuple[int, str]) -> None:
    contact, email = buyer
    answer = service.hook("wpf_action=add&role=customer&send_notification=true", {"id": contact})
    assert answer.status == 200, answer.text
    assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
    data = answer.data
    assert set(data) == {"delivery", "action", "status", "message", "member", "changes", "warnings"}
    assert (data["action"], data["status"], data["warnings"]) == ("add", "applied", [])
    assert data["member"] == {"id": data["member"]["id"], "login": email, "email": email, "created": True}
    [member] = service.json("members", email.upper())
    assert member["roles"] == ["customer"]
    assert member["tags"] == ["course"]
    assert member["fields"] == {"city": "Lisbon", "interests": ["a", "b"]}
    assert member["display_name"] == "Zoë O'Faktor"
    assert member["contact"] == {"connection": "shop", "id": str(contact)}
    [delivery] = service.json("deliveries", str(data["delivery"]))
    assert (delivery["status"], delivery["hook"], delivery["contact"]) == ("applied", "shop", str(contact))
    wait_until(lambda: service.followups_waiting() == 0)
    assert len([mail for mail in service.mails() if f"To: {email}" in mail]) == 1
    assert len(crm.crm.contact(contact)["custom_values"]["wp_password"]) == 24


def wait_until(true: Callable[[], bool], seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "it did not come true"
        time.sleep(0.05)


def test_update_follows_the_crm_and_ignores_strangers(service: Service, crm: Running, buyer: tuple[int, str]) -> None:
    contact, email = buyer
    ignored = service.hook("wpf_action=update", {"id": contact})
    assert (ignored.status, ignored.data["status"], ignored.data["member"]) == (200, "ignored", None)
    service.hook("wpf_action=add", {"id": contact})
    crm.crm.update_contact(contact, first_name="Ada", email=f"new.{email}")
    updated = service.hook("wpf_action=update", {"id": contact})
    assert sorted(updated.data["changes"]) == ["first_name", "user_email"]
    crm.crm.remove_tag(contact, "Course")
    assert service.hook("wpf_action=update_tags", {"id": contact}).data["changes"] == ["tags"]
    assert service.hook("wpf_action=update_tags", {"id": contact}).data["status"] == "unchanged"
    [member] = service.json("members", f"new.{email}")
    assert (member["login"], member["first_name"], member["tags"]) == (email, "Ada", [])


@pytest.mark.parametrize("how", ["Authorization", "X-Access-Key"])
def test_the_key_in_a_header_and_the_hooks_own_address(service: Service, buyer: tuple[int, str], how: str) -> None:
    key = f"Bearer {service.key}" if how == "Authorization" else service.key
    answer = service.post("/hooks/shop?wpf_action=add", {"id": buyer[0]}, **{how: key})
    assert (answer.status, answer.data["status"]) == (200, "applied")


def test_contact_id_in_the_address(service: Service, buyer: tuple[int, str]) -> None:
    answer = service.get(f"/?wpf_action=add&access_key={service.key}&contact_id={buyer[0]}")
    assert answer.data["member"]["email"] == buyer[1]


def test_async_is_answered_at_once_with_a_location(service: Service, buyer: tuple[int, str]) -> None:
    answer = service.hook("wpf_action=add&async=true", {"id": buyer[0]})
    assert answer.status == 202
    assert answer.data["status"] == "pending"
    assert service.key not in answer.data["location"]
    path = answer.data["location"].partition(f":{service.port}")[2]
    wait_until(lambda: service.get(path).status == 200)
    assert service.get(path).data["member"]["email"] == buyer[1]
    assert service.get(path.replace("token=", "token=x")).status == 404
    assert service.get(re.sub(r"\d+\?", "999999?", path)).status == 404


def test_a_slow_crm_is_answered_202_before_fluentcrm_hangs_up(
    service: Service, crm: Running, buyer: tuple[int, str]
) -> None:
    crm.crm.latency = 4.0
    try:
        start = time.monotonic()
        answer = service.hook("wpf_action=add", {"id": buyer[0]})
        assert time.monotonic() - start < 4.0
    finally:
        crm.crm.latency = 0.0
    assert (answer.status, answer.data["status"]) == (202, "pending")
    wait_until(lambda: bool(service.json("members", buyer[1])))


def test_a_test_stores_nothing(service: Service) -> None:
    before = service.count()
    answer = service.hook("wpf_action=test")
    assert (answer.status, answer.data["delivery"], answer.data["action"]) == (200, None, "test")
    assert service.count() == before


def test_a_dry_run_changes_nothing(service: Service, buyer: tuple[int, str]) -> None:
    before = service.count()
    answer = service.hook("wpf_action=add&role=customer&dry_run=true", {"id": buyer[0]})
    assert (answer.status, answer.data["delivery"], answer.data["dry_run"]) == (200, None, True)
    assert answer.data["message"].startswith("Would have created member")
    assert "set the role to customer" in answer.data["plan"]
    assert answer.data["contact"]["email"] == buyer[1]
    assert service.json("members", buyer[1]) == []
    assert service.count() == before
    gone = service.hook("wpf_action=add&dry_run=true", {"id": 99999999})
    assert (gone.status, gone.data["status"]) == (200, "failed")


@pytest.mark.parametrize("query", ["wpf_action=add", "wpf_action=add&access_key=", "wpf_action=x&access_key=wrong"])
def test_no_key_or_a_wrong_one(service: Service, query: str) -> None:
    answer = service.post(f"/?{query}", {"id": 1})
    assert (answer.status, answer.data["error"]["code"]) == (403, "invalid_access_key")
    assert set(answer.data) == {"error"}
    assert set(answer.data["error"]) == {"code", "message"}


@pytest.mark.parametrize(
    ("query", "body", "headers", "status"),
    [
        ("", b'{"id": 1}', {}, 400),
        ("wpf_action=destroy", b'{"id": 1}', {}, 400),
        ("wpf_action=add", b"", {}, 400),
        ("wpf_action=add", b"{}", {}, 400),
        ("wpf_action=add", b'{"id": ', {}, 400),
        ("wpf_action=add", b'{"id": NaN}', {}, 400),
        ("wpf_action=add", b"[" * 100_000, {}, 400),
        ("wpf_action=add", b'{"id": 1, "first_name": "\xff"}', {}, 400),
        ("wpf_action=add", b'{"id": "1 or 1=1"}', {}, 400),
        ("wpf_action=add&role=customer&role=customer", b'{"id": 1}', {}, 400),
        ("wpf_action=add&x=1&role=customer", b'{"id": 1}', {}, 400),
        ("wpf_action=add&contact_id=abc", b"", {}, 400),
        ("wpf_action=add", b"x" * (1024 * 1024 + 1), {}, 413),
        ("wpf_action=add", b"\x1f\x8b", {"Content_Encoding": "gzip"}, 400),
    ],
)  # fmt: skip
def test_bad_requests_get_a_clear_answer_and_store_nothing(
    service: Service, query: str, body: bytes, headers: dict[str, str], status: int
) -> None:
    before = service.count()
    answer = service.hook(query, body, **headers)
    assert answer.status == status, answer.text
    assert len(answer.data["error"]["message"]) > 20
    assert service.key not in answer.text
    assert service.count() == before


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
@pytest.mark.parametrize("path", ["/?wpf_action=add", "/hooks/shop?wpf_action=add", "/"])
def test_other_methods(service: Service, method: str, path: str) -> None:
    answer = service.send(method, path)
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, POST")


def test_a_contact_cannot_choose_her_role(service: Service, crm: Running) -> None:
    """The recorded trick: FluentCRM's GET mode puts the contact's name into the address as it is."""
    eve = crm.crm.add_contact("eve@example.com", "Eve&role=administrator&wpf_action=update", "Mallory")
    crm.crm.add_automation(
        "Newsletter",
        f"http://127.0.0.1:{service.port}/?wpf_action=add&access_key={service.key}",
        format="get",
        background=False,
    )
    crm.crm.apply_tag(eve, "Newsletter")
    note = crm.crm.notes[-1]
    assert (note.contact_id, note.status) == (eve, 400)
    assert "doubled_control_parameter" in note.text
    assert service.json("members", "eve@example.com") == []


@pytest.mark.parametrize("format", ["json", "form", "get"])
@pytest.mark.parametrize("background", [True, False])
def test_every_way_fluentcrm_sends(service: Service, crm: Running, format: str, background: bool) -> None:
    tag = f"Tag {format} {background}"
    crm.crm.add_tag(tag)
    address = f"http://127.0.0.1:{service.port}/?wpf_action=add&access_key={service.key}&role=customer"
    crm.crm.add_automation(tag, address, format=format, background=background)  # type: ignore[arg-type]
    email = f"{format}.{background}+shop@example.com".lower()
    contact = crm.crm.add_contact(email, 'Zoë "Q" 🐘', "O'Brien \\ Söhne", tags=(tag,))
    wait_until(lambda: any(note.contact_id == contact for note in crm.crm.notes))
    [member] = service.json("members", email)
    assert (member["first_name"], member["last_name"]) == ('Zoë "Q" 🐘', "O'Brien \\ Söhne")
    assert member["roles"] == ["customer"]


def test_a_browser_gets_a_page(service: Service, crm: Running) -> None:
    contact = crm.crm.add_contact("page@example.com", "<script>alert(1)</script>", "Page", tags=("Course",))
    browser = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    page = service.get(f"/?wpf_action=add&access_key={service.key}&contact_id={contact}", **browser)
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert "no-referrer" in page.headers["Referrer-Policy"]
    assert "page@example.com" in page.text
    assert "create a member with the username" in page.text
    assert "<script>" not in page.text
    assert service.key not in page.text
    refused = service.get("/?wpf_action=add&access_key=wrong", **browser)
    assert (refused.status, "invalid_access_key" in refused.text) == (403, True)


def test_health_ready_and_metrics(service: Service) -> None:
    assert service.get("/healthz").text == "ok\n"
    assert service.get("/readyz").data == {"ready": True, "storage": "ok", "queue": "ok", "worker": "ok"}
    assert 'memberhook_deliveries{state="applied"}' in service.get("/metrics").text


def test_a_request_that_stops_half_way_is_not_accepted(service: Service) -> None:
    before = service.count()
    head = f"POST /?wpf_action=add&access_key={service.key} HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\n"
    with socket.create_connection(("127.0.0.1", service.port)) as raw:
        raw.sendall(head.encode() + b'{"id"')
    assert service.count() == before
    assert service.get("/healthz").status == 200


def test_keys_rotate(service: Service, buyer: tuple[int, str]) -> None:
    old = service.key
    service.key = service.json("key", "rotate", "shop", "--keep-old", "24h")["access_key"]
    assert service.hook("wpf_action=test").status == 200
    assert service.get(f"/?wpf_action=test&access_key={old}").status == 200
    service.key = service.json("key", "rotate", "shop")["access_key"]
    assert service.hook("wpf_action=test").status == 200
    assert service.get(f"/?wpf_action=test&access_key={old}").status == 403


def test_import_resync_and_replay(service: Service, crm: Running) -> None:
    crm.crm.add_tag("Imported")
    contacts = [crm.crm.add_contact(f"import.{n}@example.com", tags=("Imported",)) for n in range(7)]
    done = service.json("import", "--hook", "shop", "--tag", "imported")
    assert (done["count"], done["statuses"]) == (7, {"applied": 7})
    assert len([m for m in service.json("members") if m["email"].startswith("import.")]) == 7
    crm.crm.update_contact(contacts[0], first_name="Changed")
    again = service.json("resync", "--hook", "shop")
    assert again["statuses"]["applied"] == 1
    replayed = service.json("replay", str(done["deliveries"][0]))
    assert replayed["statuses"] == {"unchanged": 1}


def test_a_role_follows_a_tag(service: Service, crm: Running) -> None:
    rule = ("--allow-role", "customer", "--tag-role", "Newsletter=customer")
    key = service.json("hook", "add", "--connection", "shop", "--name", "readers", *rule)["access_key"]
    contact = crm.crm.add_contact("reader@example.com", tags=("Newsletter",))
    assert service.post(f"/?wpf_action=add&access_key={key}", {"id": contact}).status == 200
    assert service.json("members", "reader@example.com")[0]["roles"] == ["customer", "subscriber"]
    crm.crm.remove_tag(contact, "newsletter")
    assert service.post(f"/?wpf_action=update_tags&access_key={key}", {"id": contact}).status == 200
    assert service.json("members", "reader@example.com")[0]["roles"] == ["subscriber"]
    summaries = {hook["hook"]: hook["tag_roles"] for hook in service.json("hook", "list")}
    assert (summaries["readers"], summaries["shop"]) == ([{"tag": "newsletter", "role": "customer"}], [])
    assert "Newsletter = customer" in service.cli("hook", "list")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("hook", "add", "--connection", "nowhere"), "no connection 'nowhere'"),
        (("hook", "add", "--connection", "shop"), "already"),
        (("hook", "add", "--connection", "shop", "--name", "b", "--allow-role", "administrator"), "privileged"),
        (("hook", "add", "--connection", "shop", "--name", "b", "--role", "vip"), "no role 'vip'"),
        (("hook", "add", "--connection", "shop", "--name", "b", "--map", "phone"), "no mapping"),
        (("hook", "add", "--connection", "shop", "--name", "b", "--map", "a=nonsense"), "no field 'nonsense'"),
        (("hook", "add", "--connection", "shop", "--name", "b", "--return-password", "nope"), "no field 'nope'"),
        (("hook", "add", "--connection", "shop", "--name", "b", "--tag-role", "course"), "write TAG=ROLE"),
        (("hook", "add", "--connection", "shop", "--name", "b", "--tag-role", "x=subscriber"), "no tag 'x'"),
        (("hook", "add", "--connection", "shop", "--name", "b", "--tag-role", "Course=customer"), "--allow-role"),
        (("hook", "url", "nowhere"), "no hook 'nowhere'"),
        (("hook", "url", "shop", "--role", "administrator"), "does not allow"),
        (("key", "rotate", "shop", "--keep-old", "soon"), "no duration"),
        (("deliveries", "--since", "someday"), "no time"),
        (("deliveries", "--nonsense"), "No such option"),
        (("replay",), "Say which"),
        (("replay", "999999"), "no delivery 999999"),
        (("import", "--hook", "shop"), "Say which"),
        (("import", "--hook", "shop", "--tag", "nowhere"), "no tag 'nowhere'"),
        (("role", "add", "no slug"), "no slug"),
        (("member", "add", "x", "--email", "not an address"), "e-mail"),
        (("members", "--site", "nowhere"), "no site 'nowhere'"),
    ],
)  # fmt: skip
def test_commands_that_cannot_be_done_say_why_in_one_sentence(
    service: Service, arguments: tuple[str, ...], words: str
) -> None:
    error = service.cli(*arguments, status=1)
    assert words.lower() in error.lower().replace("email", "e-mail")
    assert error.count("\n") == 1
    assert "Traceback" not in error


def test_wrong_credentials_are_reported_and_not_stored(service: Service, crm: Running) -> None:
    account = ("--url", crm.url, "--username", "memberhook", "--password-stdin", "--allow-private")
    error = service.cli("connect", "fluentcrm", "--name", "second", *account, stdin="wrong", status=1)
    assert "application password" in error
    private = service.cli("connect", "fluentcrm", "--name", "second", *account[:-1], stdin=PASSWORD_, status=1)
    assert "--allow-private" in private
    assert "second" not in service.cli("hook", "add", "--connection", "second", status=1).partition("there are")[2]


PASSWORD_ = "abcd efgh ijkl mnop"


def test_doctor_finds_all_well_and_then_what_is_not(service: Service, crm: Running) -> None:
    well = service.json("doctor")
    assert all(check["ok"] for check in well if check["check"] != "deliveries"), well
    names = " ".join(check["check"] for check in well)
    for part in ("address", "key", "shop", "mail", "queue", "clock", "disk", "worker", "roles", "fields"):
        assert part in names
    crm.crm.fault = "plugin_inactive"
    try:
        found = service.cli("doctor", status=1)
    finally:
        crm.crm.fault = None
    assert "checks failed" in found


def test_no_secret_in_logs_or_listings(service: Service) -> None:
    log = (service.folder / "serve.log").read_text()
    listing = service.cli("deliveries") + service.cli("deliveries", "--json") + service.cli("members", "--json")
    for secret in (service.key, PASSWORD_, PASSWORD_.replace(" ", "")):
        assert secret not in log
        assert secret not in listing


def test_the_data_folder_is_its_owners_alone(service: Service) -> None:
    assert (service.folder / "secret.key").stat().st_mode & 0o777 == 0o600
