"""What every kind of site must do: DESIGN's "What an action does", through the pipeline, against the real thing.

A class of tests per kind of site inherits `SiteContract` and gives it the fixture `row` (the site). Sites are shared
and never emptied, so each test invents its people.
"""

from __future__ import annotations

import itertools
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from memberhook.core.types import Contact, Tag
from memberhook.engine.runtime import Runtime
from memberhook.models.connections import Hook, Site
from memberhook.models.deliveries import Delivery
from memberhook.services.members import members
from tests.conftest import ROWS, Clock, FakeCrm, Send, ended, set_rows

COURSE, NEWS = Tag("10", "course", "Course"), Tag("11", "news", "News")
MAP = [
    {"site": "first_name", "crm": "first_name"},
    {"site": "last_name", "crm": "last_name"},
    {"site": "user_email", "crm": "email"},
]
_numbers = itertools.count(1)


@dataclass
class World:
    """One hook to the site, a CRM in memory, and the way from a webhook to a member."""

    row: Site
    hook: Hook
    crm: FakeCrm
    runtime: Runtime
    clock: Clock
    _send: Send
    _work: Callable[[], int]

    def contact(self, **values: Any) -> Contact:
        """A contact nobody has seen before, put into the CRM; `id=` puts another version of a known one there."""
        number = values.pop("id", None) or f"{next(_numbers)}{secrets.randbelow(10**6):06}"
        name = f"ada{number}"
        fields = {"email": f"{name}@example.com", "first_name": "Ada", "last_name": "King"} | values.pop("fields", {})
        contact = Contact(**({"id": number, "email": fields["email"], "fields": fields, "tags": (COURSE,)} | values))
        self.crm.add(contact)
        return contact

    def send(self, action: str, contact: Contact, **values: Any) -> Delivery:
        """A webhook about the contact, worked off."""
        delivery = self._send(action, contact.id or "", **({"hook": self.hook} | values))
        self._work()
        return ended(delivery)

    def send_all(self, action: str, contacts: list[Contact]) -> list[Delivery]:
        sent = [self._send(action, contact.id or "", hook=self.hook) for contact in contacts]
        self._work()
        return [ended(delivery) for delivery in sent]

    def member(self, email: str) -> Mapping[str, Any] | None:
        found = list(members([email], self.row, self.runtime.http))
        assert len(found) <= 1
        return found[0] if found else None

    def set(self, **options: Any) -> None:
        rows = {name: options.pop(name) for name in ROWS & set(options)}
        for name, value in options.items():
            setattr(self.hook, name, value)
        self.hook.save()
        set_rows(self.hook, **rows)


@pytest.fixture
def world(
    row: Site,
    make_hook: Callable[..., Hook],
    fake_crm: FakeCrm,
    runtime: Runtime,
    clock: Clock,
    send: Send,
    work: Callable[[], int],
) -> World:
    """Of the site that the module's (or the class's) fixture `row` gives."""
    return World(row, make_hook(site=row, field_map=list(MAP)), fake_crm, runtime, clock, send, work)


class SiteContract:
    """Kinds that cannot do all of it say so here."""

    default_role = "subscriber"

    @pytest.fixture
    def row(self) -> Site:
        raise NotImplementedError

    # --- add

    def test_add_makes_a_member_with_role_tags_and_names(self, world: World) -> None:
        ada = world.contact()
        delivery = world.send("add", ada, role="customer")
        assert delivery.state == "applied", delivery.message
        assert delivery.outcome["member"]["created"] is True
        member = world.member(ada.email)
        assert member
        assert member == {
            "site": world.row.name,
            "id": delivery.outcome["member"]["id"],
            "login": ada.email,
            "email": ada.email,
            "first_name": "Ada",
            "last_name": "King",
            "display_name": "Ada King",
            "roles": ["customer"],
            "tags": ["course"],
            "fields": {},
            "contact": {"connection": "shop", "id": ada.id},
        }

    def test_the_default_role(self, world: World) -> None:
        ada = world.contact()
        world.send("add", ada)
        assert (world.member(ada.email) or {})["roles"] == ["subscriber"]

    def test_the_same_again_changes_nothing(self, world: World) -> None:
        ada = world.contact()
        world.send("add", ada, role="customer")
        again = world.send("add", ada, role="customer")
        assert (again.state, again.outcome["member"]["created"], again.outcome["changes"]) == ("unchanged", False, [])

    def test_an_existing_member_is_found_by_e_mail_in_any_case_and_linked(self, world: World) -> None:
        ada = world.contact(tags=())
        first = world.send("add", ada)
        world.hook.connection.links.all().delete()
        upper = world.contact(fields={"email": ada.email.upper(), "first_name": "Augusta"})
        second = world.send("add", upper, role="customer")
        assert second.outcome["member"]["id"] == first.outcome["member"]["id"]
        member = world.member(ada.email)
        assert member
        assert (member["roles"], member["first_name"], member["contact"]["id"]) == (["customer"], "Augusta", upper.id)

    def test_a_taken_username_is_replaced_by_the_nearest_free_one(self, world: World) -> None:
        world.set(username_format="first-last")
        first, second = (
            world.contact(fields={"first_name": f"Ann{secrets.token_hex(4)}", "last_name": "Smith"}) for _ in "12"
        )
        second = world.contact(id=second.id, fields={**second.fields, "first_name": first.fields["first_name"]})
        made = world.send_all("add", [first, second])
        usernames = [delivery.outcome["member"]["login"] for delivery in made]
        assert usernames[0].endswith("-smith")
        assert usernames[1] == f"{usernames[0]}-2"
        assert any("is taken" in warning for warning in made[1].outcome["warnings"])

    def test_a_role_that_is_not_allowed_falls_back_and_says_so(self, world: World) -> None:
        ada = world.contact()
        delivery = world.send("add", ada, role="administrator")
        assert (world.member(ada.email) or {})["roles"] == ["subscriber"]
        assert any("administrator" in warning for warning in delivery.outcome["warnings"])

    def test_no_usable_e_mail_fails_alone(self, world: World) -> None:
        bad, good = world.contact(fields={"email": "no address"}), world.contact()
        states = [delivery.state for delivery in world.send_all("add", [bad, good])]
        assert states == ["failed", "applied"]

    # --- update, update_tags

    def test_update_changes_fields_tags_and_role(self, world: World) -> None:
        ada = world.contact()
        world.send("add", ada)
        world.contact(id=ada.id, fields={"first_name": "Augusta"}, tags=(NEWS,))
        delivery = world.send("update", ada, role="customer")
        assert delivery.outcome["changes"] == ["role", "first_name", "tags"]
        member = world.member(ada.email)
        assert member
        assert (member["first_name"], member["roles"], member["tags"]) == ("Augusta", ["customer"], ["news"])

    def test_update_of_nobody_is_ignored(self, world: World) -> None:
        ada = world.contact()
        assert world.send("update", ada).state == "ignored"
        assert world.member(ada.email) is None

    def test_update_tags_touches_tags_alone(self, world: World) -> None:
        ada = world.contact()
        world.send("add", ada)
        world.contact(id=ada.id, fields={"first_name": "Augusta"}, tags=(NEWS, COURSE))
        delivery = world.send("update_tags", ada, role="customer")
        assert delivery.outcome["changes"] == ["tags"]
        member = world.member(ada.email)
        assert member
        assert (member["first_name"], member["roles"], member["tags"]) == ("Ada", ["subscriber"], ["course", "news"])

    def test_a_renamed_tag_keeps_its_members(self, world: World) -> None:
        ada = world.contact()
        world.send("add", ada)
        world.contact(id=ada.id, tags=(Tag(COURSE.id, "sourdough", "Sourdough"),))
        assert world.send("update_tags", ada).state == "unchanged"
        assert (world.member(ada.email) or {})["tags"] == ["sourdough"]
        world.contact(id=ada.id)
        world.send("update_tags", ada)

    def test_the_e_mail_follows_and_a_taken_one_does_not(self, world: World) -> None:
        ada, bob = world.contact(), world.contact()
        world.send_all("add", [ada, bob])
        new = f"new-{ada.email}"
        world.contact(id=ada.id, fields={"email": new, "first_name": "Augusta"})
        assert world.send("update", ada).outcome["changes"] == ["user_email", "first_name"]
        assert (world.member(new) or {})["contact"]["id"] == ada.id
        world.contact(id=ada.id, fields={"email": bob.email, "first_name": "Ada"})
        second = world.send("update", ada)
        assert second.outcome["changes"] == ["first_name"]
        assert any("Another member has" in warning for warning in second.outcome["warnings"])

    def test_empty_keeps_unless_the_mapping_clears(self, world: World) -> None:
        world.set(field_map=[*MAP, {"site": "city", "crm": "city"}, {"site": "phone", "crm": "phone", "clears": True}])
        ada = world.contact(fields={"city": "Porto", "phone": "123"})
        world.send("add", ada)
        world.contact(id=ada.id, fields={"city": "", "phone": ""})
        assert world.send("update", ada).outcome["changes"] == ["phone"]
        assert (world.member(ada.email) or {})["fields"].get("city") == "Porto"
        assert not (world.member(ada.email) or {})["fields"].get("phone")
        assert world.send("update", ada).state == "unchanged"

    def test_fields_of_every_kind_are_stored_and_known_again(self, world: World) -> None:
        kinds: dict[str, Any] = {
            "text": "Zürich & <Genève> 🎓", "multiline": "one\ntwo", "number": "12.50", "date": "2026-11-25",
            "datetime": "2026-11-25 10:00:00", "checkbox": "yes", "select": "a", "multiselect": ("a", "b 🎓"),
            "raw": "O'Brien \\ \"x\" 100%",
        }  # fmt: skip
        world.set(field_map=[*MAP, *({"site": f"k_{k}", "crm": k, "type": k} for k in kinds)])
        ada = world.contact(fields=kinds)
        first = world.send("add", ada)
        assert first.state == "applied", first.message
        again = world.send("update", ada)
        assert (again.state, again.outcome["changes"]) == ("unchanged", [])
        fields = (world.member(ada.email) or {})["fields"]
        assert fields["k_raw"] == kinds["raw"]
        assert list(fields["k_multiselect"]) == ["a", "b 🎓"]

    # --- many at once

    def test_many_members_at_once(self, world: World) -> None:
        people = [world.contact() for _ in range(60)]
        made = world.send_all("add", people)
        assert {d.state for d in made} == {"applied"}
        found = list(members([p.email for p in people], world.row, world.runtime.http))
        assert {member["contact"]["id"] for member in found} == {p.id for p in people}
        assert {tuple(member["tags"]) for member in found} == {("course",)}
