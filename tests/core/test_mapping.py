from __future__ import annotations

import pytest

from memberhook.core.mapping import read, updates, usable_email
from memberhook.core.types import FieldType
from tests.core.world import OPTIONS, contact, options


def test_plain_fields_by_the_sites_names():
    mapped = read(contact(), OPTIONS)
    assert mapped.values == {"first_name": "Ada", "last_name": "King"}
    assert (mapped.email, mapped.username, mapped.password, mapped.roles) == ("ada@example.com", "", "", ())
    assert mapped.warnings == ()


def test_the_last_mapping_with_a_value_counts():
    fields = {"phone": "1", "mobile": "2", "fax": ""}
    mapped = read(contact(fields=fields), options(("tel", "phone"), ("tel", "mobile"), ("tel", "fax", "text", True)))
    assert mapped.values["tel"] == "2"
    assert mapped.cleared == frozenset()


def test_names_are_text_whatever_their_mapping_says():
    mapped = read(contact(fields={"nick": ("A", "B")}), options(("display_name", "nick", FieldType.MULTISELECT)))
    assert mapped.values["display_name"] == "A, B"


def test_a_field_that_the_contact_lacks_is_empty_unless_only_the_payload_is_known():
    mapping = ("phone", "phone", FieldType.AUTO, True)
    assert read(contact(), options(mapping)).cleared == {"phone"}
    assert read(contact(), options(mapping, trust_payload=True)).cleared == frozenset()
    assert read(contact(fields={"phone": ""}), options(mapping, trust_payload=True)).cleared == {"phone"}


def test_closed_fields_are_dropped_with_a_warning():
    mapped = read(contact(fields={"x": "1"}), options(("is_staff", "x"), ("wp_capabilities", "x"), ("phone", "x")))
    assert mapped.values.keys() == {"first_name", "last_name", "phone"}
    assert [warning.split(":")[0] for warning in mapped.warnings] == [
        "No CRM may set the site's field is_staff",
        "No CRM may set the site's field wp_capabilities",
    ]


def test_fields_with_an_own_meaning_however_they_are_written():
    fields = {"a": "ada", "b": "s3cret <b> ", "c": "vip"}
    mapped = read(contact(fields=fields), options((" User_Login", "a"), ("USER_PASS", "b"), ("role", "c")))
    assert (mapped.username, mapped.password, mapped.roles) == ("ada", "s3cret <b> ", ("vip",))
    assert mapped.values.keys() == {"first_name", "last_name"}
    assert "s3cret" not in repr(mapped)


@pytest.mark.parametrize(("value", "password"), [("  ", ""), (None, ""), (12345, "12345"), ("pass", "pass")])
def test_passwords(value, password):
    mapped = read(contact(fields={"p": value}), options(("user_pass", "p")))
    assert (mapped.password, mapped.warnings) == (password, ())


@pytest.mark.parametrize("value", [True, 1.5, ("a",), "a\0", "\ud800"])
def test_what_cannot_be_a_password_is_reported_and_not_shown(value):
    mapped = read(contact(fields={"p": value}), options(("user_pass", "p")))
    assert mapped.password == ""
    assert len(mapped.warnings) == 1


def test_the_mapped_email_counts_else_the_contacts():
    mapped = options(("user_email", "work"))
    assert read(contact(fields={"work": " w@example.com "}), mapped).email == "w@example.com"
    assert read(contact(fields={"work": "", "email": ""}), mapped).email == "ada@example.com"
    assert read(contact(" ada@example.com "), options()).email == "ada@example.com"


@pytest.mark.parametrize(
    "email", ["a@b.co", "o'neil+x@mail.example.org", "zoë@exämple.de", "a.b-c_d@x-y.co.uk", "a" * 242 + "@example.com"]
)
def test_usable_addresses(email):
    assert usable_email(email)


@pytest.mark.parametrize(
    "email",
    [
        *(
            "",
            "a",
            "a@",
            "@b.co",
            "a@b",
            "a@b.",
            "a@.co",
            "a@b..co",
            "a b@c.de",
            "a@b.co, c@d.ef",
            "<a@b.co>",
            "a@b@c.de",
        ),
        *("a\n@b.co", "a@b.co\n", "\ud800@b.co", "a\0@b.co", "a" * 243 + "@example.com"),
    ],
)
def test_unusable_addresses(email):
    assert not usable_email(email)


def test_only_what_differs_is_written():
    mapped = read(
        contact(fields={"n": "5", "yes": "yes", "gone": ""}),
        options(("n", "n", "number"), ("yes", "yes", "checkbox"), ("gone", "gone", "text", True)),
    )
    held = {"first_name": "Ada", "last_name": "King", "n": 5.0, "yes": 1, "gone": "x"}
    assert updates(mapped, held.items()) == {"yes": True, "gone": None}
    assert updates(mapped, {**held, "yes": True, "gone": None}.items()) == {}
