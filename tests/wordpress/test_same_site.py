"""The whole case on one WordPress: its FluentCRM's contacts become members of the same site, with no automation.

The connector passes changes on to the service, in processes of its own, and the service makes the members by way of
the same connector. FluentCRM is a stand-in (`plugins/`). All of this was done with FluentCRM 2.9.84 by hand.
"""

from __future__ import annotations

import re
import shlex
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from tests.docs_pages import ROOT, blocks, commands
from tests.server.conftest import Service
from tests.server.test_contract import wait_until
from tests.wordpress.conftest import CONNECTOR, connector_account
from tests.wordpress.runner import NOBODY
from tests.wordpress.runner import running as running_wordpress
from tests.wordpress.test_outbox import COURSE, NEWS, STAND_IN, Shop

PAGE = ROOT / "docs" / "same_site.md"
ROUNDS = 20
MEMBER = """
    $user = get_user_by('email', $email);
    if (!$user) {
        return null;
    }
    return [
        'id' => $user->ID,
        'roles' => array_values($user->roles),
        'name' => $user->first_name,
        'level' => get_user_meta($user->ID, 'level', true),
        'tags' => (array) get_user_meta($user->ID, 'memberhook_tags_shop', true),
    ];"""


@dataclass
class SameSite:
    """One WordPress that has contacts and members, and the Memberhook it tells and that comes back to it."""

    shop: Shop
    service: Service

    def member(self, email: str) -> Mapping[str, Any] | None:
        """As WordPress has it."""
        found: dict[str, Any] | None = self.shop.site.php_json(MEMBER, email=email)
        return found and {**found, "tags": set(found["tags"])}

    def contact(self, email: str, call: str) -> None:
        """Something that is done to a contact: `attachTags([1])`."""
        self.shop.site.php(f"FluentCrmApi('contacts')->getContact($email)->{call};", email=email)

    def deliveries(self, email: str) -> list[tuple[str, str]]:
        """Action and status of all about that contact, the oldest first, once nothing more follows from anything."""
        number = self.shop.site.php_json("return FluentCrmApi('contacts')->getContact($email)->id;", email=email)
        self.settle()
        ended = sorted(self.service.json("deliveries"), key=lambda one: int(one["id"]))
        return [(one["action"], one["status"]) for one in ended if one["contact"] == str(number)]

    def settle(self) -> None:
        """Until nothing waits on either side; what a changed member leads to is written down after the answer."""
        for _ in range(ROUNDS):
            self.shop.until_empty()
            before = self.service.count()
            self.service.settle(1)
            time.sleep(0.5)
            if not self.shop.rows() and self.service.count() == before:
                return
        raise AssertionError(f"it goes round in circles: {self.service.json('deliveries')}")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SameSite]:
    with running_wordpress(plugin=[STAND_IN, CONNECTOR]) as site:
        site.get("/wp-cron.php", NOBODY)  # what a new WordPress has to do first
        site.php(
            "add_role('customer', 'Customer', ['read' => true]); add_role('student', 'Student', ['read' => true]);"
        )
        service = Service(tmp_path_factory.mktemp("data"))
        both = SameSite(Shop(site), service)
        try:
            set_up(both)
            yield both
        finally:
            service.stop()


def set_up(both: SameSite) -> None:
    """The commands of docs/same_site.md: the connection and the site are one WordPress, with a user for each."""
    site, service = both.shop.site, both.service
    account = connector_account(site)
    here = {"https://shop.example": site.url, "crm": site.admin_user, "memberhook": account[0]}
    passwords = {"connect fluentcrm": site.application_password, "site add": account[1]}
    lines = [line for block in blocks(PAGE) for line in commands(block)]
    said = {}
    for start in ("connect fluentcrm", "site add", "hook add", "key add"):
        [line] = [line for line in lines if line.startswith(f"memberhook {start} ")]
        words = [here.get(word, word) for word in shlex.split(line)[1:]]
        private = ["--allow-private"] if "--url" in words else []
        said[start] = service.cli(*words, *private, stdin=passwords.get(start, ""))
        if start == "hook add":
            service.start()  # so that the key's address is that of this one
    key = re.search(r"whsec_\S+", said["key add"])
    address = re.search(r"http://\S+/hooks/shop/events", said["key add"])
    assert key
    assert address
    both.shop.set(address[0], key=key[0], members="tags", tags=[COURSE])


@pytest.fixture
def both(running: SameSite) -> Iterator[SameSite]:
    running.shop.site.php("delete_option('stand_in_user_sync');")
    yield running
    assert "memberhook" not in running.shop.site.debug_log("memberhook").lower()


def test_a_tag_makes_a_member_and_gives_a_role_and_takes_it(both: SameSite) -> None:
    ada = "ada@example.com"
    both.shop.change({"email": ada, "first_name": "Ada", "tags": [COURSE], "custom_values": {"level": "gold"}})
    assert both.deliveries(ada) == [("add", "applied")]
    member = both.member(ada)
    assert member == {
        "id": member and member["id"],
        "roles": ["customer", "student"],
        "name": "Ada",
        "level": "gold",
        "tags": {str(COURSE)},
    }

    both.contact(ada, f"attachTags([{NEWS}])->detachTags([{COURSE}])")
    assert both.deliveries(ada)[1:] == [("update", "applied")], "both changes at once"
    assert both.member(ada) == {**member, "roles": ["customer"], "tags": {str(NEWS)}}

    both.contact(ada, f"attachTags([{COURSE}])")
    assert both.deliveries(ada)[2:] == [("add", "applied")]
    assert both.member(ada) == {**member, "tags": {str(COURSE), str(NEWS)}}


def test_without_the_tag_nobody_becomes_a_member(both: SameSite) -> None:
    eve = "eve@example.com"
    both.shop.change({"email": eve, "tags": [NEWS]})
    assert both.deliveries(eve) == [("update", "ignored")]
    assert both.member(eve) is None


def test_who_is_a_user_of_the_site_already_becomes_no_second_one(both: SameSite) -> None:
    joan = "joan@member.example"
    both.shop.site.user("joan", "subscriber")
    before = both.member(joan)
    both.shop.change({"email": joan, "first_name": "Joan", "tags": [COURSE]})
    assert both.deliveries(joan) == [("add", "applied")]
    assert before
    assert both.member(joan) == {**before, "name": "Joan", "roles": ["subscriber", "student"], "tags": {str(COURSE)}}


def test_a_change_does_not_go_round_in_circles(both: SameSite) -> None:
    """Memberhook's changes of the user change the contact (FluentCRM's user sync), and that is passed on again."""
    both.shop.site.php("update_option('stand_in_user_sync', 1);")
    mary, maria = "mary@example.com", "maria@example.com"
    both.shop.change({"email": mary, "first_name": "Mary", "tags": [COURSE]})
    assert both.deliveries(mary)[0] == ("add", "applied")
    member = both.member(mary)
    assert member

    own = "wp_update_user(['ID' => $id, 'first_name' => 'Maria', 'user_email' => $email]);"
    both.shop.site.php(own, id=member["id"], email=maria)
    assert both.deliveries(maria)[-1] == ("add", "unchanged"), "the contact followed the user"
    assert both.member(maria) == {**member, "name": "Maria"}

    both.shop.change({"email": maria, "first_name": "Marie"})
    assert both.deliveries(maria)[-2:] == [("add", "applied"), ("add", "unchanged")]
    assert both.member(maria) == {**member, "name": "Marie"}


def test_nothing_is_lost_while_memberhook_is_away(both: SameSite) -> None:
    grace = "grace@example.com"
    both.service.stop()
    both.shop.change({"email": grace, "first_name": "Grace", "tags": [COURSE]})
    wait_until(lambda: any(row["attempts"] == "1" for row in both.shop.rows()))
    both.shop.change({"email": grace, "first_name": "Amazing Grace"})
    both.service.start()
    both.shop.cron()  # a minute later
    assert both.deliveries(grace)[0] == ("add", "applied")
    member = both.member(grace)
    assert member
    assert (member["name"], member["roles"]) == ("Amazing Grace", ["customer", "student"])


def test_nothing_is_lost_when_memberhook_dies_with_what_it_took(both: SameSite) -> None:
    emails = [f"c{number}@example.com" for number in range(30)]
    both.shop.change(*({"email": email, "tags": [COURSE]} for email in emails))
    both.shop.until_empty()
    both.service.stop(signal.SIGKILL)
    both.service.start()
    both.settle()
    count = "return array_map(fn ($email) => count(get_users(['search' => $email])), $emails);"
    assert both.shop.site.php_json(count, emails=emails) == [1] * len(emails)
    assert {one["status"] for one in both.service.json("deliveries")} <= {"applied", "unchanged", "ignored"}
