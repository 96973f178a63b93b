"""FluentCRM's changes reach Memberhook from a real WordPress. FluentCRM is a stand-in (`plugins/`): the real one cannot
be had in CI. What the stand-in does was compared with FluentCRM 2.9.84 by hand."""

from __future__ import annotations

import base64
import json
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import urllib3
from django.test import Client

from memberhook import encryption
from memberhook.intake import signatures
from memberhook.models.connections import AccessKey, Hook
from memberhook.models.deliveries import Delivery
from memberhook.sites.wordpress import plugin_file
from tests.intake import project_urls
from tests.wordpress.conftest import CONNECTOR
from tests.wordpress.runner import NOBODY, WordPress, running

STAND_IN = Path(__file__).parent / "plugins" / "fluentcrm-stand-in.php"
KEY = f"whsec_{base64.b64encode(bytes(range(33))).decode()}"
COURSE, NEWS = 1, 2
WAKE = "/wp-json/memberhook/v1/outbox/send"
PAGE = "/wp-admin/options-general.php?page=memberhook"
ADMIN_POST = "/wp-admin/admin-post.php"
NONCES = ("memberhook_outbox-options", "memberhook_test", "memberhook_send_all")
LATER = 25.0  # seconds; a machine under load is slow


@dataclass
class Request:
    path: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)

    @property
    def contacts(self) -> dict[str, dict[str, Any]]:
        """By e-mail, with the action among the fields."""
        return {c["contact"]["email"]: {**c["contact"], "action": c["action"]} for c in self.data["contacts"]}


@dataclass
class Receiver:
    """In Memberhook's place. `status` and `answer` are what it says; `meanwhile` is called before it does."""

    port: int = 0
    status: int = 202
    answer: Any = None
    meanwhile: Callable[[], object] = lambda: None
    requests: list[Request] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks/shop/events"

    def take(self, request: Request) -> tuple[int, Any]:
        signature = signatures.read({name.lower(): value for name, value in request.headers.items()})
        key = signatures.secret_bytes(KEY)
        assert signatures.check(signature, request.body, [key], time.time()) == key
        self.requests.append(request)
        self.meanwhile()
        default = {"accepted": len(request.data.get("contacts", [])), "deliveries": [], "refused": []}
        return self.status, default if self.answer is None else self.answer

    def wait(self, count: int = 1) -> list[Request]:
        until = time.monotonic() + LATER
        while len(self.requests) < count:
            assert time.monotonic() < until, f"{len(self.requests)} requests came, not {count}"
            time.sleep(0.05)
        return self.requests


@pytest.fixture
def memberhook() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = receiver.take(Request(self.path, dict(self.headers.items()), body))
            raw = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.port = server.server_address[1]
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield receiver
        server.shutdown()


@dataclass
class Shop:
    """The WordPress that has both."""

    site: WordPress

    def set(self, url: str, *, key: str = KEY, **settings: object) -> None:
        values = {"enabled": True, "url": url, "members": "none", "tags": []} | settings
        code = "update_option('memberhook_outbox', $values); update_option('memberhook_outbox_key', $key, false);"
        self.site.php(code, values=values, key=key)

    def clear(self) -> None:
        self.site.php(
            """global $wpdb;
            foreach (['', '_key', '_log', '_paused_until'] as $name) {
                delete_option("memberhook_outbox$name");
            }
            $wpdb->query("DELETE FROM {$wpdb->prefix}memberhook_outbox");
            delete_transient('memberhook_outbox_slow');
            wp_clear_scheduled_hook('memberhook_outbox_send');
            stand_in_install();"""
        )

    def change(self, *contacts: Mapping[str, object]) -> float:
        """By way of a page; how many seconds it took."""
        started = time.perf_counter()
        response = self.site.send("POST", "/wp-json/stand-in/v1/contacts", list(contacts), user=NOBODY)
        assert response.status == 200, response.data
        assert len(response.json()) == len(contacts)
        return time.perf_counter() - started

    def rows(self) -> list[dict[str, str]]:
        found: list[dict[str, str]] = self.site.php_json(
            'global $wpdb; return $wpdb->get_results("SELECT * FROM {$wpdb->prefix}memberhook_outbox");'
        )
        return found

    def log(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.site.php_json("return get_option('memberhook_outbox_log', []);")
        return found

    def sql(self, change: str) -> None:
        """UPDATE of the outbox."""
        self.site.php(
            'global $wpdb; $wpdb->query("UPDATE {$wpdb->prefix}memberhook_outbox SET $change");', change=change
        )

    def make(self, **contact: object) -> None:
        """Makes or changes a contact; it isn't sent yet."""
        self.rest()
        self.site.php("FluentCrmApi('contacts')->createOrUpdate($contact);", contact=contact)

    def rest(self) -> None:
        """As after a failure: nothing is sent for a while."""
        self.site.php("update_option('memberhook_outbox_paused_until', time() + 60, false);")

    def until_empty(self) -> None:
        until = time.monotonic() + LATER
        while rows := self.rows():
            assert time.monotonic() < until, rows
            time.sleep(0.1)

    def cron(self) -> None:
        """What cron does later, now."""
        self.sql("due_at = 0")
        self.site.php("delete_option('memberhook_outbox_paused_until'); do_action('memberhook_outbox_send');")

    def page(self, user: str) -> Browser:
        """Logged in as a browser is."""
        code = """
            $id = get_user_by('login', $username)->ID;
            $ends = time() + 3600;
            $token = WP_Session_Tokens::get_instance($id)->create($ends);
            return [
                AUTH_COOKIE => wp_generate_auth_cookie($id, $ends, 'auth', $token),
                LOGGED_IN_COOKIE => wp_generate_auth_cookie($id, $ends, 'logged_in', $token),
            ];"""
        cookies = self.site.php_json(code, username=user)
        return Browser(self.site.url, "; ".join(f"{name}={value}" for name, value in cookies.items()))

    def nonce(self, browser: Browser, username: str, action: str) -> str:
        """As if the page had shown it to that user."""
        code = """
            foreach (explode('; ', $cookie) as $pair) {
                [$name, $value] = explode('=', $pair, 2);
                $_COOKIE[$name] = $value;
            }
            wp_set_current_user(get_user_by('login', $username)->ID);
            return wp_create_nonce($action);"""
        found: str = self.site.php_json(code, cookie=browser.cookie, username=username, action=action)
        return found


@dataclass
class Browser:
    url: str
    cookie: str
    http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(retries=False))

    def get(self, path: str = PAGE) -> tuple[int, str]:
        answer = self.http.request("GET", self.url + path, headers={"Cookie": self.cookie}, redirect=False)
        return answer.status, answer.data.decode()

    def post(self, path: str, fields: Mapping[str, str]) -> int:
        headers = {"Cookie": self.cookie, "Content-Type": "application/x-www-form-urlencoded"}
        return self.http.request(
            "POST", self.url + path, body=urlencode(fields), headers=headers, redirect=False
        ).status

    def nonce(self, action: str) -> str:
        """Of the form with that action."""
        form = re.search(rf'value="{action}".*?name="_wpnonce" value="(\w+)"', self.get()[1], re.DOTALL)
        assert form, action
        return form[1]

    def save(self, nonce: str, **fields: str) -> int:
        values = {f"memberhook_outbox[{name}]": value for name, value in fields.items() if name != "key"}
        values |= {"memberhook_outbox_key": fields.get("key", "")}
        form = {"option_page": "memberhook_outbox", "action": "update", "_wpnonce": nonce, "_wp_http_referer": PAGE}
        return self.post("/wp-admin/options.php", form | values)


@pytest.fixture(scope="module")
def running_shop() -> Iterator[Shop]:
    with running(plugin=[STAND_IN, CONNECTOR]) as site:
        site.get("/wp-cron.php", NOBODY)  # what a new WordPress has to do first
        yield Shop(site)


@pytest.fixture
def shop(running_shop: Shop) -> Iterator[Shop]:
    running_shop.clear()
    yield running_shop
    assert "memberhook" not in running_shop.site.debug_log("memberhook").lower()


ADA = {"email": "ada@example.com", "first_name": "Ada", "last_name": 'O\'Brien \\ "Zoë" 🎓'}


# What is sent


def test_a_change_is_sent_once_as_the_contact_is(shop: Shop, memberhook: Receiver) -> None:
    shop.set(memberhook.url)
    shop.change({**ADA, "tags": [COURSE, NEWS], "custom_values": {"level": "gold", "list": ["a", "b"]}})
    [request] = memberhook.wait()
    shop.until_empty()
    assert memberhook.requests == [request]
    assert request.headers["Content-Type"] == "application/json"
    contact = request.contacts["ada@example.com"]
    assert contact["last_name"] == ADA["last_name"]
    assert (contact["id"], contact["action"]) == (1, "update")
    assert contact["custom_field"] == {"level": "gold", "list": ["a", "b"]}
    assert contact["tags"] == [
        {"id": 1, "title": "Course", "slug": "course"},
        {"id": 2, "title": "News <b>", "slug": "news"},
    ]
    assert contact["lists"] == []
    assert [(one["count"], one["ok"]) for one in shop.log()] == [(1, True)]


@pytest.mark.django_db(transaction=True)
def test_memberhook_takes_what_is_sent(
    shop: Shop, memberhook: Receiver, make_hook: Callable[..., Hook], client: Client, settings: Any
) -> None:
    settings.ROOT_URLCONF = project_urls.__name__
    shop.set(memberhook.url, members="all")
    shop.change({**ADA, "tags": [COURSE]}, {"email": "eve@example.com", "first_name": "Eve&role=administrator"})
    [request] = memberhook.wait()
    hook = make_hook(name="shop", trust_payload=True)
    AccessKey.objects.create(hook=hook, digest="x", hint="x", signing_secret=encryption.encrypt(KEY))
    headers = {name: value for name, value in request.headers.items() if name.lower().startswith("webhook-")}
    answer = client.post("/hooks/shop/events", request.body, content_type="application/json", headers=headers)
    assert (answer.status_code, answer.json()["accepted"]) == (202, 2)
    ada, eve = Delivery.objects.order_by("pk")
    assert (ada.contact_id, ada.action, ada.role) == ("1", "add", None)
    assert (eve.contact_id, eve.role) == ("2", None)


def test_changes_of_a_contact_are_sent_together(shop: Shop, memberhook: Receiver) -> None:
    shop.set(memberhook.url)
    shop.change(ADA, {**ADA, "first_name": "Augusta"}, {**ADA, "tags": [COURSE]}, {"email": "eve@example.com"})
    [request] = memberhook.wait()
    shop.until_empty()
    assert len(memberhook.requests) == 1
    assert len(request.data["contacts"]) == 2
    assert [tag["slug"] for tag in request.contacts["ada@example.com"]["tags"]] == ["course"]


def test_many_are_sent_a_hundred_at_a_time(shop: Shop, memberhook: Receiver) -> None:
    shop.set(memberhook.url)
    shop.change(*[{"email": f"c{n}@example.com"} for n in range(250)])
    memberhook.wait(3)
    shop.until_empty()
    assert [len(request.data["contacts"]) for request in memberhook.requests] == [100, 100, 50]
    assert len({email for request in memberhook.requests for email in request.contacts}) == 250


def test_large_contacts_are_sent_in_smaller_requests(shop: Shop, memberhook: Receiver) -> None:
    shop.set(memberhook.url)
    large = {"text": "ä" * 30_000}  # 180,000 bytes as WordPress writes JSON
    shop.change(*[{"email": f"c{n}@example.com", "custom_values": large} for n in range(5)])
    memberhook.wait(3)
    shop.until_empty()
    assert [len(request.data["contacts"]) for request in memberhook.requests] == [2, 2, 1]


@pytest.mark.parametrize(
    ("what", "count"),
    [
        ("$ada->attachTags([2]);", 1),
        ("$ada->detachTags([1]);", 1),
        ("$ada->attachLists([1]);", 1),
        ("$ada->detachLists([1]);", 1),
        ("$ada->updateStatus('unsubscribed');", 1),
        ("FluentCrm\\App\\Models\\SubscriberMeta::save(1, 'level', 'silver');", 1),
        ("do_action('fluent_crm/contact_custom_data_updated', ['level' => 'x'], $ada, ['level' => 'x']);", 1),
        ("do_action('fluent_crm/contact_email_changed', $ada, 'old@example.com');", 1),
        ("do_action('fluentcrm_contacts_imported_bulk', [$ada, $eve]);", 2),
        ("do_action('fluentcrm_contacts_updated_bulk', new ArrayIterator([$ada, $eve]));", 2),
        ("do_action('fluent_crm/tag_deleted', 1);", 2),
        ("do_action('fluent_crm/list_deleted', 1);", 0),
        ("update_option('stand_in_user_sync', 1); wp_update_user(['ID' => 1, 'first_name' => 'Root']);", 1),
        ("delete_option('stand_in_user_sync'); wp_update_user(['ID' => 1, 'first_name' => 'Root2']);", 0),
        ("do_action('fluent_crm/contact_updated', new stdClass(), ['id' => 5]);", 0),
        ("do_action('fluent_crm/subscriber_status_changed', new FluentCrm\\App\\Models\\Subscriber([]), 'a', 'b');", 0),
    ],
)
def test_what_counts_as_a_change(shop: Shop, what: str, count: int) -> None:
    make = """
        $crm = FluentCrmApi('contacts');
        $ada = $crm->createOrUpdate(['email' => 'ada@example.com', 'tags' => [1]]);
        $eve = $crm->createOrUpdate(['email' => 'eve@example.com', 'tags' => [1]]);
        $crm->createOrUpdate(['email' => get_userdata(1)->user_email]);
        $crm->createOrUpdate(['email' => 'other@example.com', 'tags' => [2]]);"""
    shop.site.php(make)  # nothing is set yet
    assert shop.rows() == []
    shop.set("http://127.0.0.1:9/hooks/shop/events")
    shop.rest()
    found = "$crm = FluentCrmApi('contacts'); $ada = $crm->getContact('ada@example.com');"
    shop.site.php(f"{found} $eve = $crm->getContact('eve@example.com'); {what}")
    assert len(shop.rows()) == count


def test_the_deleted_are_not_sent(shop: Shop, memberhook: Receiver) -> None:
    shop.set(memberhook.url)
    shop.make(email="gone@example.com")
    shop.site.php('global $wpdb; $wpdb->query("DELETE FROM {$wpdb->prefix}fc_subscribers");')
    assert len(shop.rows()) == 1
    shop.cron()
    assert (shop.rows(), memberhook.requests) == ([], [])


@pytest.mark.parametrize(
    ("settings", "actions"),
    [
        ({}, ["update", "update", "update"]),
        ({"members": "tags", "tags": [COURSE]}, ["add", "update", "update"]),
        ({"members": "tags", "tags": [COURSE, NEWS]}, ["add", "add", "update"]),
        ({"members": "tags"}, ["update", "update", "update"]),
        ({"members": "all"}, ["add", "add", "add"]),
        ({"members": "everybody", "tags": [COURSE]}, ["update", "update", "update"]),
    ],
)
def test_who_becomes_a_member(
    shop: Shop, memberhook: Receiver, settings: dict[str, object], actions: list[str]
) -> None:
    shop.set(memberhook.url, **settings)
    shop.change(
        {"email": "a@x.example", "tags": [COURSE]}, {"email": "b@x.example", "tags": [NEWS]}, {"email": "c@x.example"}
    )
    [request] = memberhook.wait()
    assert [contact["action"] for contact in request.contacts.values()] == actions


def test_switched_off_nothing_is_kept(shop: Shop, memberhook: Receiver) -> None:
    shop.set(memberhook.url, enabled=False)
    shop.change(ADA)
    assert (shop.rows(), memberhook.requests) == ([], [])


def test_where_php_can_end_the_answer_it_is_sent_right_behind_it(shop: Shop, memberhook: Receiver) -> None:
    """As with PHP-FPM and LiteSpeed: no cron is needed then."""
    shop.set(memberhook.url)
    said = shop.site.php(
        """function litespeed_finish_request() { echo 'answered '; }
        add_action('http_api_debug', fn () => print('sent'));
        FluentCrmApi('contacts')->createOrUpdate(['email' => 'ada@example.com']);
        register_shutdown_function(fn () => print('page '));"""
    )
    assert said == "page answered sent"
    assert len(memberhook.requests) == 1
    assert shop.rows() == []
    assert shop.site.php_json("return wp_next_scheduled('memberhook_outbox_send');") is False


# When it cannot be sent


def test_pages_do_not_wait_for_a_memberhook_that_never_answers(shop: Shop) -> None:
    shop.set("", enabled=False)
    usual = min(shop.change({"email": f"warm{n}@example.com"}) for n in range(5))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        shop.set(f"http://127.0.0.1:{silent.getsockname()[1]}/hooks/shop/events")
        took = [shop.change({**ADA, "first_name": f"Ada {n}"}) for n in range(5)]
        silent.accept()[0].close()  # somebody has tried
    assert sorted(took)[2] < usual + 0.5, "half of the pages"
    assert max(took) < usual + 2, "our time-out is ten seconds"
    assert [row["contact_id"] for row in shop.rows()] == ["6"]


def test_what_could_not_be_sent_is_sent_later(shop: Shop, memberhook: Receiver) -> None:
    memberhook.status, memberhook.answer = 503, {"error": {"code": "storage_unavailable", "message": "Disk full."}}
    shop.set(memberhook.url)
    shop.change(ADA)
    memberhook.wait()
    until = time.monotonic() + LATER
    while not shop.log() and time.monotonic() < until:
        time.sleep(0.1)
    [row] = shop.rows()
    assert (row["attempts"], row["failed"], row["last_error"]) == ("1", "0", "Disk full.")
    assert 55 <= int(row["due_at"]) - time.time() <= 61
    assert 0 < shop.site.php_json("return wp_next_scheduled('memberhook_outbox_send');") - time.time() <= 61
    shop.change({"email": "eve@example.com"}, ADA)
    time.sleep(1)
    assert len(memberhook.requests) == 1, "it is left alone for a minute"
    memberhook.status, memberhook.answer = 202, None
    shop.cron()
    assert shop.rows() == []
    assert set(memberhook.requests[-1].contacts) == {"ada@example.com", "eve@example.com"}


def test_delays_grow_and_end_after_three_days(shop: Shop, memberhook: Receiver) -> None:
    memberhook.status, memberhook.answer = 500, {}
    shop.set(memberhook.url)
    shop.make(email="ada@example.com")
    delays = []
    for _ in range(8):
        shop.cron()
        delays.append(round(int(shop.rows()[0]["due_at"]) - time.time(), -1))
    assert delays == [60, 120, 240, 480, 960, 1920, 3600, 3600]
    shop.sql("queued_at = queued_at - 259300")
    shop.cron()
    assert shop.rows()[0]["failed"] == "1"
    tried = len(memberhook.requests)
    shop.cron()
    assert len(memberhook.requests) == tried, "it was given up"
    admin = shop.page(shop.site.admin_user)
    assert "1 contact was tried for three days and given up." in admin.get()[1]
    memberhook.status, memberhook.answer = 202, None
    assert (
        admin.post(
            ADMIN_POST,
            {"action": "memberhook_send_all", "_wpnonce": admin.nonce("memberhook_send_all")},
        )
        == 302
    )
    assert shop.rows() == []
    assert "Everything is sent." in admin.get()[1]


def test_one_that_was_given_up_begins_again_when_it_changes(shop: Shop, memberhook: Receiver) -> None:
    shop.set(memberhook.url)
    shop.make(email="ada@example.com")
    shop.sql("failed = 1, attempts = 90, queued_at = 1, due_at = 1")
    shop.make(email="ada@example.com", first_name="Ada")
    [row] = shop.rows()
    assert (row["failed"], row["attempts"], row["version"]) == ("0", "0", "2")
    assert time.time() - int(row["queued_at"]) < 60


def test_changed_while_it_was_sent_it_is_sent_again(shop: Shop, memberhook: Receiver) -> None:
    def meanwhile() -> None:
        memberhook.meanwhile = lambda: None
        shop.change({**ADA, "first_name": "Augusta"})

    memberhook.meanwhile = meanwhile
    shop.set(memberhook.url)
    shop.change(ADA)
    first, second = memberhook.wait(2)
    shop.until_empty()
    names = [request.contacts["ada@example.com"]["first_name"] for request in (first, second)]
    assert names == ["Ada", "Augusta"]


def test_only_one_sends_at_a_time(shop: Shop, memberhook: Receiver) -> None:
    shop.set(memberhook.url)
    shop.make(email="ada@example.com")
    memberhook.meanwhile = shop.cron
    shop.cron()
    assert len(memberhook.requests) == 1
    assert shop.rows() == []


def test_only_the_site_itself_can_have_it_send(shop: Shop, memberhook: Receiver) -> None:
    shop.set(memberhook.url)
    shop.make(email="ada@example.com")
    shop.sql("due_at = 0")
    shop.site.php("delete_option('memberhook_outbox_paused_until');")
    old = shop.site.php_json("return wp_hash('memberhook_outbox_wake' . (intdiv(time(), 60) - 2));")
    for token in ("", "1", old):
        assert shop.site.post(WAKE, {"token": token}, NOBODY).status == 401
        assert shop.site.post(WAKE, {"token": token}).status == 403, "not even an administrator"
    assert shop.site.post(WAKE, {"token": ["1"]}, NOBODY).status == 400
    assert shop.site.post(WAKE, {}, NOBODY).status == 400
    assert shop.site.get(WAKE, NOBODY).status == 404
    right = shop.site.php_json("return wp_hash('memberhook_outbox_wake' . intdiv(time(), 60));")
    page = shop.site.http.request("POST", shop.site.url, fields={"memberhook_outbox_wake": right, "token": right})
    assert ("Hello world!" in page.data.decode(), memberhook.requests) == (True, []), "a page does nothing"
    answer = shop.site.post(WAKE, {"token": right}, NOBODY)
    assert (answer.status, len(memberhook.requests), shop.rows()) == (200, 1, [])


def test_cron_sends_where_nothing_woke(shop: Shop, memberhook: Receiver) -> None:
    shop.set(memberhook.url)
    shop.site.php("set_transient('memberhook_outbox_slow', 1, 3600);")  # as if this site could not call itself
    shop.change(ADA)
    until = time.monotonic() + LATER
    while not memberhook.requests and time.monotonic() < until:
        shop.site.get("/", NOBODY)  # a visitor
        time.sleep(0.2)
    memberhook.wait()
    shop.until_empty()
    assert len(memberhook.requests) == 1
    assert shop.site.php_json("return wp_next_scheduled('memberhook_outbox_sweep');")


@pytest.mark.parametrize("answer", [b"<html>It works!</html>", b"", b"[]", {"hello": "world"}])
def test_another_program_that_says_200_is_not_believed(shop: Shop, memberhook: Receiver, answer: object) -> None:
    memberhook.status, memberhook.answer = 200, answer
    shop.set(memberhook.url)
    shop.make(email="ada@example.com")
    shop.cron()
    [row] = shop.rows()
    assert "not how Memberhook answers (HTTP 200)" in row["last_error"]


def test_a_contact_that_memberhook_refuses_is_reported(shop: Shop, memberhook: Receiver) -> None:
    refused = {"index": 0, "error": {"code": "no_contact", "message": "It has <no> id."}}
    memberhook.answer = {"accepted": 0, "deliveries": [], "refused": [refused]}
    shop.set(memberhook.url)
    shop.change(ADA)
    memberhook.wait()
    shop.until_empty()
    assert "Contact 1 was refused: It has &lt;no&gt; id." in shop.page(shop.site.admin_user).get()[1]


def test_errors_of_ours_never_reach_a_page(shop: Shop) -> None:
    shop.set("http://127.0.0.1:9/hooks/shop/events")
    shop.rest()
    shop.site.php('global $wpdb; $wpdb->query("DROP TABLE {$wpdb->prefix}memberhook_outbox");')
    shop.change(ADA)
    assert len(shop.rows()) == 1, "the table is made again"
    said = shop.site.php(
        """class Broken extends FluentCrm\\App\\Models\\Subscriber {
            public function __construct() {}
            public function __get($name) { throw new Error("no $name"); }
        }
        add_action('fluent_crm/contact_updated', fn () => print('the next one runs'), 20);
        do_action('fluent_crm/contact_updated', new Broken(), []);"""
    )
    assert said == "the next one runs"
    log = shop.site.debug_log("Memberhook Connector")
    assert "Memberhook Connector: Error: no id" in log
    Path(shop.site.info["debug_log"]).write_text("")


# The page


def test_only_who_may_manage_options_sees_and_saves(shop: Shop, memberhook: Receiver) -> None:
    shop.set(memberhook.url)
    evil = "https://evil.example/hooks/x/events"
    for role in ("subscriber", "editor"):
        shop.site.user(f"a-{role}", role)
        other = shop.page(f"a-{role}")
        status, page = other.get()
        assert status == 403
        assert memberhook.url not in page
        nonces = {name: shop.nonce(other, f"a-{role}", name) for name in NONCES}  # good ones: only the right is missing
        assert other.save(nonces["memberhook_outbox-options"], url=evil, enabled="1") == 403
        for action in ("memberhook_test", "memberhook_send_all"):
            assert other.post(ADMIN_POST, {"action": action, "_wpnonce": nonces[action]}) == 403
    admin = shop.page(shop.site.admin_user)
    assert admin.post(ADMIN_POST, {"action": "memberhook_test"}) == 403, "without a nonce"
    assert admin.save("wrong", url=evil) == 403
    good = shop.nonce(admin, shop.site.admin_user, "memberhook_test")
    assert shop.site.php_json("return get_option('memberhook_outbox');")["url"] == memberhook.url
    assert memberhook.requests == []
    assert admin.post(ADMIN_POST, {"action": "memberhook_test", "_wpnonce": good}) == 302, "such nonces are good"


def test_settings_are_saved_and_the_key_is_never_shown(shop: Shop, memberhook: Receiver) -> None:
    admin = shop.page(shop.site.admin_user)

    def save(**fields: str) -> str:
        nonce = re.search(r'name=.option_page..*?name="_wpnonce" value="(\w+)"', admin.get()[1], re.DOTALL)
        assert nonce
        assert admin.save(nonce[1], **fields) == 302
        return admin.get(f"{PAGE}&settings-updated=true")[1]

    page = save(url=memberhook.url, key=KEY, enabled="1", members="tags", **{"tags][": str(COURSE)})
    assert KEY not in page
    assert "Stored. Leave this empty to keep it." in page
    assert "News &lt;b&gt;" in page
    saved = "return [get_option('memberhook_outbox'), get_option('memberhook_outbox_key')];"
    settings = {"enabled": True, "url": memberhook.url, "members": "tags", "tags": [COURSE]}
    assert shop.site.php_json(saved) == [settings, KEY]
    page = save(url="https://evil.example/", key="whsec_short", enabled="1", members="all")
    assert "The address was not saved" in page
    assert "The signing key was not saved" in page
    assert "whsec_short" not in page
    assert shop.site.php_json(saved) == [settings | {"members": "all", "tags": []}, KEY]
    save(url=memberhook.url)
    assert shop.site.php_json(saved)[1] == KEY, "an empty field keeps it"
    autoloaded = "return array_key_exists('memberhook_outbox_key', wp_load_alloptions());"
    assert shop.site.php_json(autoloaded) is False


def test_the_test_button(shop: Shop, memberhook: Receiver) -> None:
    shop.set(memberhook.url)
    admin = shop.page(shop.site.admin_user)

    def test() -> str:
        fields = {"action": "memberhook_test", "_wpnonce": admin.nonce("memberhook_test")}
        assert admin.post(ADMIN_POST, fields) == 302
        return admin.get()[1]

    memberhook.status, memberhook.answer = 200, {"status": "ok", "message": "The address is right."}
    assert "It works. Memberhook says: The address is right." in test()
    assert memberhook.requests[0].data == {"type": "test"}
    memberhook.status, memberhook.answer = 401, {"error": {"code": "invalid_signature", "message": "Wrong <key>."}}
    assert "It does not work: Wrong &lt;key&gt;." in test()
    assert "It does not work" not in admin.get()[1], "it is shown once"


def test_a_wrong_key_is_shown_until_it_is_right(shop: Shop, memberhook: Receiver) -> None:
    shop.set(memberhook.url)
    memberhook.status, memberhook.answer = 401, {"error": {"code": "invalid_signature", "message": "Wrong key."}}
    shop.make(email="ada@example.com")
    shop.cron()
    admin = shop.page(shop.site.admin_user)
    page = admin.get()[1]
    assert "Memberhook does not accept what this site sends, so changes wait here. It says: Wrong key." in page
    assert "1 contact is waiting to be sent." in page
    memberhook.status, memberhook.answer = 202, None
    shop.cron()
    assert "does not accept" not in admin.get()[1]


def test_settings_that_make_nobody_a_member_are_reported(shop: Shop, memberhook: Receiver) -> None:
    """A test of the address succeeds all the same."""
    off, no_tag = "Nothing is sent", "Nobody new becomes a member"
    admin = shop.page(shop.site.admin_user)
    assert off not in admin.get()[1], "nothing is set yet"
    cases: list[tuple[dict[str, Any], str]] = [
        ({"enabled": False}, off),
        ({"members": "tags"}, no_tag),
        ({"members": "tags", "tags": [99]}, no_tag),  # deleted since
        ({"members": "tags", "tags": [99, COURSE]}, ""),
        ({"members": "none"}, ""),
        ({"members": "all"}, ""),
    ]
    for settings, problem in cases:
        shop.set(memberhook.url, **settings)
        page = admin.get()[1]
        assert [text for text in (off, no_tag) if text in page] == [problem] * bool(problem), settings


def test_without_fluentcrm_there_is_nothing_to_set(shop: Shop) -> None:
    shop.site.php(
        "require_once ABSPATH . 'wp-admin/includes/plugin.php'; deactivate_plugins('fluentcrm-stand-in.php');"
    )
    try:
        status, page = shop.page(shop.site.admin_user).get()
        assert (status, "FluentCRM is not active on this site" in page) == (200, True)
        assert "memberhook-key" not in page
    finally:
        shop.site.php(
            "require_once ABSPATH . 'wp-admin/includes/plugin.php'; activate_plugin('fluentcrm-stand-in.php');"
        )


# In a network


def test_as_a_must_use_plugin_in_a_network(memberhook: Receiver, tmp_path: Path) -> None:
    """Nobody activates it there, and each site of the network has its own outbox."""
    single = tmp_path / "memberhook-connector.php"
    single.write_bytes(plugin_file.source())
    with running(multisite=True, plugin=[STAND_IN], mu_plugin=[single]) as site:
        site.get("/wp-cron.php", NOBODY)
        shop = Shop(site)
        shop.set(memberhook.url)
        shop.change(ADA)
        memberhook.wait()
        shop.until_empty()
        site.add_site("/club/")
        code = """
            switch_to_blog(2);
            stand_in_install();
            update_option('memberhook_outbox', ['enabled' => true, 'url' => $url]);
            update_option('memberhook_outbox_key', $key, false);
            FluentCrmApi('contacts')->createOrUpdate(['email' => 'eve@example.com']);
            restore_current_blog();"""
        site.php(code, url=memberhook.url, key=KEY)
        assert set(memberhook.wait(2)[1].contacts) == {"eve@example.com"}
        assert site.php_json("return count(get_option('memberhook_outbox_log'));") == 1
        assert "memberhook" not in site.debug_log("memberhook").lower()
