"""Loading, paging, catalog and writing back, against the simulated FluentCRM; odd answers by a small server."""

from __future__ import annotations

import json

import pytest

from memberhook.core.errors import PermanentError, TransientError
from memberhook.core.types import Contact, FieldType, Tag
from memberhook.crms.contract import Catalog, ContactRef, CrmField, FieldWrite
from memberhook.crms.fluentcrm import CRM, FluentCrmClient
from memberhook.crms.fluentcrm.contacts import BUILT_IN
from memberhook.crms.registry import crm as registered
from memberhook.testing.fluentcrm import Running, SimulatedFluentCRM
from tests.crms.fluentcrm.conftest import PASSWORD, Connect, Serve
from tests.crms.fluentcrm.helpers import recorded_answer, recorded_body
from tests.loopback import Reply, Request, json_reply, page_reply

CUSTOMER, NEWSLETTER = Tag("1", "customer", "Customer"), Tag("2", "newsletter", "Newsletter")


def add_people(crm: SimulatedFluentCRM, count: int) -> list[ContactRef]:
    """Contacts with ids from 1; odd ones have the tag Customer, even ones Newsletter."""
    for number in range(1, count + 1):
        values = {"interests": ["a"], "seats": number}
        tags = ["customer" if number % 2 else "newsletter"]
        crm.add_contact(f"Person{number}@example.com", f"First{number}", "Last", values, tags, ["main-list"])
    return [ContactRef(id=str(number)) for number in range(1, count + 1)]


def contact(answer: Contact | TransientError | PermanentError) -> Contact:
    assert isinstance(answer, Contact)
    return answer


def codes(answers: object) -> dict[object, str | None]:
    assert isinstance(answers, dict)
    return {key: getattr(answer, "code", None) for key, answer in answers.items()}


def test_it_is_registered() -> None:
    assert registered("fluentcrm") is CRM
    assert (CRM.slug, CRM.name, CRM.client) == ("fluentcrm", "FluentCRM", FluentCrmClient)


class TestLoad:
    def test_one_costs_one_call(self, crm: SimulatedFluentCRM, site: Running, client: FluentCrmClient) -> None:
        (ref,) = add_people(crm, 1)
        found = contact(client.load([ref])[ref])
        assert (found.id, found.email, found.tags) == ("1", "Person1@example.com", (CUSTOMER,))
        assert found.version == "2026-11-23 12:00:00"
        assert {
            name: found.fields[name] for name in ("first_name", "interests", "seats", "lists", "city", "status")
        } == {
            "first_name": "First1",
            "interests": ("a",),
            "seats": "1",
            "lists": ("Main List",),
            "city": None,
            "status": "subscribed",
        }
        assert not {"custom_values", "custom_fields", "tags"} & set(found.fields)
        assert [request[:2] for request in site.requests] == [("GET", "/wp-json/fluent-crm/v2/subscribers/1")]

    @pytest.mark.parametrize(("count", "calls"), [(2, 1), (100, 1), (101, 2), (250, 3)])
    def test_many_by_id(
        self, crm: SimulatedFluentCRM, site: Running, client: FluentCrmClient, count: int, calls: int
    ) -> None:
        refs = add_people(crm, count)
        answers = client.load([*reversed(refs), refs[0]])
        assert list(answers) == refs[::-1]
        assert all(contact(answers[ref]).id == ref.id for ref in refs)
        assert len(site.requests) == calls

    def test_many_by_e_mail_in_any_case(self, crm: SimulatedFluentCRM, site: Running, client: FluentCrmClient) -> None:
        add_people(crm, 120)
        refs = [ContactRef(email=f"PERSON{number}@example.COM") for number in range(1, 121)]
        answers = client.load(refs)
        assert [contact(answers[ref]).id for ref in refs] == [str(number) for number in range(1, 121)]
        assert len(site.requests) == 2

    def test_long_e_mails_take_more_calls(
        self, crm: SimulatedFluentCRM, site: Running, client: FluentCrmClient
    ) -> None:
        names = [f"{'x' * 50}{number}@{'y' * 60}.example.com" for number in range(100)]
        for name in names:
            crm.add_contact(name)
        answers = client.load([ContactRef(email=name) for name in names])
        assert all(contact(answer) for answer in answers.values())
        assert len(site.requests) == 3
        assert max(len(query) for _, _, query in site.requests) < 6000

    def test_odd_e_mails(self, crm: SimulatedFluentCRM, client: FluentCrmClient) -> None:
        refs = [ContactRef(email=email) for email in ("o'brien+x&y=1@example.com", "a%b@example.com", "c@example.com")]
        for ref in refs:
            crm.add_contact(ref.email or "")
        assert [contact(answer).email for answer in client.load(refs).values()] == [ref.email for ref in refs]
        assert contact(client.load(refs[:1])[refs[0]]).email == "o'brien+x&y=1@example.com"

    def test_one_listing_and_one_call_give_the_same_contact(
        self, crm: SimulatedFluentCRM, client: FluentCrmClient
    ) -> None:
        refs = add_people(crm, 2)
        crm.add_contact("bare@example.com", date_of_birth="0000-00-00")
        refs.append(ContactRef(id="3"))
        assert client.load(refs) == {ref: client.load([ref])[ref] for ref in refs}

    def test_deleted_contacts_have_their_own_error(self, crm: SimulatedFluentCRM, client: FluentCrmClient) -> None:
        known = add_people(crm, 3)
        gone = [ContactRef(id="99"), ContactRef(id="x7"), ContactRef(email="nobody@example.com"), ContactRef(id="0")]
        answers = client.load([*known, *gone, ContactRef(email="person2@example.com")])
        assert list(codes(answers).values()) == [None] * 3 + ["contact_gone"] * 4 + [None]
        assert all(isinstance(answers[ref], PermanentError) for ref in gone)

    def test_all_gone(self, client: FluentCrmClient) -> None:
        assert codes(client.load([ContactRef(id="8"), ContactRef(id="9")])) == {
            ContactRef(id="8"): "contact_gone",
            ContactRef(id="9"): "contact_gone",
        }
        assert codes(client.load([ContactRef(id="8")])) == {ContactRef(id="8"): "contact_gone"}
        assert client.load([]) == {}

    def test_ids_with_zeros_before_them(self, crm: SimulatedFluentCRM, client: FluentCrmClient) -> None:
        add_people(crm, 2)
        answers = client.load([ContactRef(id="1"), ContactRef(id="01"), ContactRef(id="002")])
        assert [contact(answer).id for answer in answers.values()] == ["1", "1", "2"]

    def test_a_version_that_ignores_filters(self, connect: Connect, serve: Serve) -> None:
        """It returns other contacts; the requested ones are then loaded one by one."""
        zoe = recorded_body("get-subscriber")["subscriber"]

        def answer(request: Request) -> Reply:
            if request.path.endswith("/subscribers"):
                return recorded_answer("list-subscribers-page-1")
            number = int(request.path.rpartition("/")[2])
            return (
                json_reply({"subscriber": zoe | {"id": number}}) if number < 13 else json_reply({"message": "x"}, 422)
            )

        refs = [ContactRef(id="11"), ContactRef(id="12"), ContactRef(id="13")]
        answers = connect(serve(answer).url).load(refs)
        assert [getattr(answers[ref], "id", None) for ref in refs] == ["11", "12", None]
        assert codes(answers)[refs[2]] == "contact_gone"

    @pytest.mark.parametrize("listing", [Reply(500, b"{}"), json_reply({"subscribers": {}}), json_reply({"a": 1})])
    def test_one_that_breaks_the_listing_affects_no_other(self, connect: Connect, serve: Serve, listing: Reply) -> None:
        zoe = recorded_body("get-subscriber")["subscriber"]

        def answer(request: Request) -> Reply:
            if request.path.endswith("/subscribers"):
                return listing
            number = int(request.path.rpartition("/")[2])
            return Reply(500, b"{}") if number == 11 else json_reply({"subscriber": zoe | {"id": number}})

        answers = connect(serve(answer).url).load([ContactRef(id=str(number)) for number in range(11, 15)])
        assert list(codes(answers).values()) == ["server_error", None, None, None]

    def test_one_bad_row_harms_no_other(self, connect: Connect, serve: Serve) -> None:
        good = recorded_body("get-subscriber")["subscriber"]

        def answer(request: Request) -> Reply:
            if request.path.endswith("/subscribers"):
                rows = [good | {"id": 1}, good | {"id": 2, "email": None}, good | {"id": 3, "tags": "x"}]
                return json_reply({"subscribers": {"total": 3, "data": rows}})
            return json_reply({"subscriber": good | {"id": int(request.path.rpartition("/")[2]), "tags": "x"}})

        answers = connect(serve(answer).url).load([ContactRef(id=str(number)) for number in (1, 2, 3)])
        assert list(codes(answers).values()) == [None, "bad_answer", "bad_answer"]

    @pytest.mark.parametrize(
        ("fault", "code"),
        [
            ("outage", "server_error"),
            ("error500", "server_error"),
            ("maintenance", "server_error"),
            ("rate_limited", "rate_limited"),
            ("challenge", "challenge_page"),
            ("challenge_200", "challenge_page"),
            ("plugin_inactive", "plugin_inactive"),
            ("closed", "unreachable"),
        ],
    )
    @pytest.mark.parametrize("count", [1, 5])
    def test_a_crm_that_fails_as_a_whole_raises(
        self, crm: SimulatedFluentCRM, site: Running, client: FluentCrmClient, fault: str, code: str, count: int
    ) -> None:
        refs = add_people(crm, count)
        crm.fault = fault  # type: ignore[assignment]  # the names are the parameters above
        with pytest.raises(TransientError) as caught:
            client.load(refs)
        assert caught.value.code == code
        assert len(site.requests) < 6
        crm.fault = None
        assert all(contact(answer) for answer in client.load(refs).values())

    @pytest.mark.parametrize("fault", ["plain_permalinks", "plain_permalinks_home"])
    def test_plain_permalinks(self, crm: SimulatedFluentCRM, client: FluentCrmClient, fault: str) -> None:
        refs = add_people(crm, 3)
        crm.fault = fault  # type: ignore[assignment]  # the names are the parameters above
        assert all(contact(answer) for answer in client.load(refs).values())
        assert client.write_fields([FieldWrite("1", "", {"wp_password": "x"})]) == {"1": None}
        crm.fault = None
        assert all(contact(answer) for answer in client.load(refs).values())

    def test_a_wrong_password(self, site: Running, connect: Connect) -> None:
        with pytest.raises(TransientError) as caught:
            connect(site.url, password="wrong").load([ContactRef(id="1")])
        assert caught.value.code == "wrong_password"

    def test_trouble_in_the_middle(self, connect: Connect, serve: Serve) -> None:
        """What was answered before stays answered."""
        good = recorded_body("get-subscriber")["subscriber"]

        def answer(request: Request) -> Reply:
            if request.path.endswith("/subscribers"):
                return json_reply({"subscribers": {"total": 1, "data": [good | {"id": 1}]}})
            return page_reply("Slow down", 429)

        server = serve(answer)
        answers = connect(server.url).load([ContactRef(id=str(number)) for number in (1, 2, 3, 4)])
        assert list(codes(answers).values()) == [None, "rate_limited", "rate_limited", "rate_limited"]
        assert len(server.requests) == 2


class TestContacts:
    def test_all_by_ascending_ids(self, crm: SimulatedFluentCRM, client: FluentCrmClient) -> None:
        refs = add_people(crm, 250)
        pages = list(client.contacts())
        assert [(len(page.contacts), page.total) for page in pages] == [(100, 250), (100, 250), (50, 250)]
        assert [found.id for page in pages for found in page.contacts] == [ref.id for ref in refs]
        assert pages[0].contacts[0] == client.load(refs[:1])[refs[0]]

    def test_those_with_a_tag(self, crm: SimulatedFluentCRM, client: FluentCrmClient) -> None:
        add_people(crm, 250)
        pages = list(client.contacts(NEWSLETTER))
        assert [len(page.contacts) for page in pages] == [100, 25]
        assert {found.tags for page in pages for found in page.contacts} == {(NEWSLETTER,)}

    def test_nobody(self, client: FluentCrmClient) -> None:
        assert list(client.contacts()) == []
        assert list(client.contacts(Tag("99", "unknown", "Unknown"))) == []

    def test_exactly_a_page(self, crm: SimulatedFluentCRM, site: Running, client: FluentCrmClient) -> None:
        add_people(crm, 100)
        assert [len(page.contacts) for page in client.contacts()] == [100]
        assert len(site.requests) == 1

    def test_while_contacts_are_added(self, crm: SimulatedFluentCRM, client: FluentCrmClient) -> None:
        add_people(crm, 150)
        found = []
        for page in client.contacts():
            found += [one.id for one in page.contacts]
            if len(found) == 100:
                crm.add_contact("late@example.com")
        assert found == [str(number) for number in range(1, 152)]

    def test_while_contacts_are_deleted_none_is_missed_or_repeated(
        self, crm: SimulatedFluentCRM, client: FluentCrmClient
    ) -> None:
        add_people(crm, 350)
        vanish = list(range(1, 100, 3))
        found: list[str | None] = []
        for page in client.contacts():
            found += [one.id for one in page.contacts]
            for number in (vanish.pop() for _ in range(min(11, len(vanish)))):
                crm.delete_contact(number)
        assert sorted(map(int, filter(None, found))) == list(range(1, 351))
        assert vanish == []

    def test_a_version_that_ignores_the_tag(self, connect: Connect, serve: Serve) -> None:
        rows = [
            recorded_body("get-subscriber")["subscriber"] | {"id": 1, "tags": [{"id": 2, "slug": "a", "title": "A"}]},
            recorded_body("get-subscriber")["subscriber"] | {"id": 2, "tags": []},
        ]
        server = serve(json_reply({"subscribers": {"total": 2, "data": rows}}))
        (page,) = connect(server.url).contacts(NEWSLETTER)
        assert [one.id for one in page.contacts] == ["1"]


class TestCatalog:
    def test_all_there_is(self, crm: SimulatedFluentCRM, client: FluentCrmClient) -> None:
        crm.add_field("city", "text", "City again")
        found = client.catalog()
        assert isinstance(found, Catalog)
        assert found.tags == (CUSTOMER, NEWSLETTER)
        assert found.lists == (Tag("1", "main-list", "Main List"),)
        assert found.fields[: len(BUILT_IN)] == BUILT_IN
        assert found.fields[len(BUILT_IN) :] == (
            CrmField("wp_password", "Wp_Password", FieldType.TEXT),
            CrmField("interests", "Interests", FieldType.MULTISELECT, ("a", "b")),
            CrmField("plan", "Plan", FieldType.SELECT, ("free", "pro")),
            CrmField("sex", "Sex", FieldType.SELECT, ("f", "m", "x")),
            CrmField("channels", "Channels", FieldType.MULTISELECT, ("mail", "sms")),
            CrmField("renewal", "Renewal", FieldType.DATE),
            CrmField("seen", "Seen", FieldType.DATETIME),
            CrmField("seats", "Seats", FieldType.NUMBER),
            CrmField("remarks", "Remarks", FieldType.MULTILINE),
            CrmField("shape", "Shape", FieldType.AUTO),
        )

    def test_the_built_in_fields_are_those_of_a_contact(self, crm: SimulatedFluentCRM, client: FluentCrmClient) -> None:
        (ref,) = add_people(crm, 1)
        custom = {"interests", "seats"}
        assert set(contact(client.load([ref])[ref]).fields) - custom == {field.name for field in BUILT_IN}
        assert {field.name: field.type for field in BUILT_IN}["date_of_birth"] is FieldType.DATE

    def test_more_tags_and_lists_than_a_page(self, crm: SimulatedFluentCRM, client: FluentCrmClient) -> None:
        for number in range(250):
            crm.add_tag(f"Tag {number}")
            crm.add_list(f"List {number}")
        found = client.catalog()
        assert [tag.id for tag in found.tags] == [str(number) for number in range(1, 253)]
        assert [item.id for item in found.lists] == [str(number) for number in range(1, 252)]

    def test_without_the_right_to_change_settings(
        self, crm: SimulatedFluentCRM, site: Running, connect: Connect
    ) -> None:
        crm.add_user("least", PASSWORD, ["fcrm_read_contacts", "fcrm_manage_contacts", "fcrm_manage_contact_cats"])
        client = connect(site.url, username="least")
        assert client.catalog().fields == BUILT_IN
        add_people(crm, 1)
        assert "wp_password" in {field.name for field in client.catalog().fields}

    def test_without_any_right(self, crm: SimulatedFluentCRM, site: Running, connect: Connect) -> None:
        crm.add_user("nobody", PASSWORD, rights=())
        with pytest.raises(TransientError) as caught:
            connect(site.url, username="nobody").catalog()
        assert caught.value.code == "no_rights"

    def test_as_recorded(self, connect: Connect, serve: Serve) -> None:
        def answer(request: Request) -> Reply:
            recordings = {"tags": "list-tags-page-1", "lists": "list-lists", "contacts": "custom-fields-contacts"}
            return recorded_answer(recordings[request.path.rpartition("/")[2]])

        found = connect(serve(answer).url).catalog()
        assert found.tags[1] == Tag("10", "facts-members", "facts-members")
        assert found.lists == (Tag("1", "facts-newsletter", "facts-newsletter"),)
        assert found.fields[-2] == CrmField("interests", "Interests", FieldType.MULTISELECT, ("a", "b"))


class TestWriteFields:
    @pytest.fixture
    def writes(self, crm: SimulatedFluentCRM) -> list[FieldWrite]:
        """For contacts 1 to 5, all loaded a moment ago."""
        add_people(crm, 5)
        return [
            FieldWrite(str(number), f"Person{number}@example.com", {"wp_password": f"pw '\"\\ {number}"}, fresh=True)
            for number in range(1, 6)
        ]

    def values(self, crm: SimulatedFluentCRM, name: str = "wp_password") -> list[object]:
        return [crm.contact(number)["custom_values"].get(name) for number in range(1, 6)]

    def test_many_fresh_ones_cost_one_call(
        self, crm: SimulatedFluentCRM, site: Running, client: FluentCrmClient, writes: list[FieldWrite]
    ) -> None:
        assert client.write_fields(writes) == {str(number): None for number in range(1, 6)}
        assert self.values(crm) == [f"pw '\"\\ {number}" for number in range(1, 6)]
        assert [request[:2] for request in site.requests] == [
            ("POST", "/wp-json/fluent-crm/v2/subscribers/bulk-add-update")
        ]

    def test_more_than_a_hundred(self, crm: SimulatedFluentCRM, site: Running, client: FluentCrmClient) -> None:
        add_people(crm, 150)
        writes = [FieldWrite(str(n), f"person{n}@example.com", {"wp_password": "x"}, fresh=True) for n in range(1, 151)]
        assert set(client.write_fields(writes).values()) == {None}
        assert len(site.requests) == 2

    def test_one_alone_and_those_not_fresh_go_to_the_contact(
        self, crm: SimulatedFluentCRM, site: Running, client: FluentCrmClient, writes: list[FieldWrite]
    ) -> None:
        stale = FieldWrite("2", "old-address@example.com", {"wp_password": "x"})
        assert client.write_fields([writes[0], stale]) == {"1": None, "2": None}
        assert self.values(crm)[:2] == ["pw '\"\\ 1", "x"]
        assert [request[0] for request in site.requests] == ["PUT", "PUT"]
        assert crm.find("old-address@example.com") is None

    def test_built_in_fields_and_emptying(
        self, crm: SimulatedFluentCRM, client: FluentCrmClient, writes: list[FieldWrite]
    ) -> None:
        more = FieldWrite(
            "3", "person3@example.com", {"first_name": "New", "seats": "", "wp_password": "x"}, fresh=True
        )
        assert set(client.write_fields([*writes[:2], more]).values()) == {None}
        third = crm.contact(3)
        assert (third["first_name"], third["custom_values"]) == ("New", {"interests": ["a"], "wp_password": "x"})

    def test_what_php_takes_for_equal_is_written_all_the_same(
        self, crm: SimulatedFluentCRM, client: FluentCrmClient, writes: list[FieldWrite]
    ) -> None:
        for value in ("123", "0123", "1e3", "1000", " 1000", "+1000.0"):
            again = [FieldWrite(w.contact_id, w.email, {"wp_password": value}, fresh=True) for w in writes]
            assert set(client.write_fields(again).values()) == {None}
            assert self.values(crm) == [value] * 5

    def test_several_writes_to_one_contact_are_one(
        self, crm: SimulatedFluentCRM, site: Running, client: FluentCrmClient, writes: list[FieldWrite]
    ) -> None:
        twice = [
            FieldWrite("1", "", {"wp_password": "old", "plan": "pro"}),
            FieldWrite("1", "", {"wp_password": "new"}),
        ]
        assert client.write_fields(twice) == {"1": None}
        assert crm.contact(1)["custom_values"]["wp_password"] == "new"
        assert crm.contact(1)["custom_values"]["plan"] == "pro"
        assert len(site.requests) == 1

    def test_nothing_to_write(self, site: Running, client: FluentCrmClient) -> None:
        assert client.write_fields([]) == {}
        assert client.write_fields([FieldWrite("1", "a@b.example", {}, fresh=True)]) == {"1": None}
        assert site.requests == []

    def test_the_gone(self, crm: SimulatedFluentCRM, client: FluentCrmClient, writes: list[FieldWrite]) -> None:
        crm.delete_contact(2)
        stale = [FieldWrite(w.contact_id, w.email, w.fields) for w in writes]
        answers = client.write_fields([*stale, FieldWrite("x", "", {"plan": "pro"})])
        assert list(codes(answers).values()) == [None, "contact_gone", None, None, None, "contact_gone"]

    def test_a_contact_that_bulk_does_not_confirm_is_written_alone(
        self, crm: SimulatedFluentCRM, client: FluentCrmClient, writes: list[FieldWrite]
    ) -> None:
        """Its e-mail was changed a moment ago, so the bulk call has found nobody of its id."""
        crm.update_contact(2, email="moved@example.com")
        assert set(client.write_fields(writes).values()) == {None}
        assert crm.contact(2)["custom_values"]["wp_password"] == "pw '\"\\ 2"

    @pytest.mark.parametrize("reply", [Reply(500, b"{}"), json_reply({"updated": "x"}), json_reply({})])
    def test_a_bulk_call_that_fails_is_done_one_by_one(
        self, connect: Connect, serve: Serve, writes: list[FieldWrite], reply: Reply
    ) -> None:
        def answer(request: Request) -> Reply:
            if request.method == "POST":
                return reply
            return recorded_answer(
                "update-subscriber-not-found" if request.path.endswith("/3") else "update-subscriber"
            )

        server = serve(answer)
        answers = connect(server.url).write_fields(writes)
        assert list(codes(answers).values()) == [None, None, "contact_gone", None, None]
        assert len(server.requests) == 6

    def test_the_bulk_call_as_it_is_sent(self, connect: Connect, serve: Serve, writes: list[FieldWrite]) -> None:
        rows = [{"id": number, "email": f"person{number}@EXAMPLE.com", "status": "subscribed"} for number in (1, 2)]
        server = serve(json_reply({"message": "", "created": [], "updated": rows, "invalids": []}))
        assert connect(server.url).write_fields(writes[:2]) == {"1": None, "2": None}
        (request,) = server.requests
        assert json.loads(request.body) == {
            "contacts": [
                {"email": "Person1@example.com", "custom_values": {"wp_password": "pw '\"\\ 1"}},
                {"email": "Person2@example.com", "custom_values": {"wp_password": "pw '\"\\ 2"}},
            ],
            "force_update": "true",
        }

    @pytest.mark.parametrize(("fault", "code"), [("outage", "server_error"), ("rate_limited", "rate_limited")])
    def test_a_crm_in_trouble(
        self, crm: SimulatedFluentCRM, client: FluentCrmClient, writes: list[FieldWrite], fault: str, code: str
    ) -> None:
        crm.fault = fault  # type: ignore[assignment]  # the names are the parameters above
        with pytest.raises(TransientError) as caught:
            client.write_fields(writes)
        assert caught.value.code == code

    def test_no_value_is_part_of_a_message_or_repr(self, crm: SimulatedFluentCRM, client: FluentCrmClient) -> None:
        add_people(crm, 1)
        write = FieldWrite("1", "a@b.example", {"email": "SECRET"})
        answer = client.write_fields([write])["1"]
        assert "SECRET" not in str(answer) + repr(write)
        assert codes({"1": answer}) == {"1": "value_rejected"}
