from __future__ import annotations

from memberhook.core.outcome import HIDDEN, outcome, secret_fields
from memberhook.core.states import State
from memberhook.core.types import Applied, ApplyStatus, Changes, Contact, FieldMapping, Member, Plan, Tag

FIELDS = {"email": "ada@example.com", "wp_password": "s3cret-1", "temp_password": "s3cret-2", "pin": "s3cret-3"}
CONTACT = Contact("1", "ada@example.com", FIELDS, (Tag("1", "course", "Course"),))
MAP = (
    FieldMapping("user_pass", "pin"),
    FieldMapping("note", "wp_password"),
    FieldMapping("remark", "temp_password"),
    FieldMapping("city", "city"),
)
NEW = Plan(
    CONTACT,
    username="ada",
    changes=Changes(
        email="ada@example.com",
        role="customer",
        password="s3cret-4",
        fields={"note": "s3cret-1", "remark": "s3cret-2", "city": "Lisbon", "api_token": "s3cret-5"},
        tags_applied=CONTACT.tags or (),
    ),
    welcome=True,
    return_password=True,
    generate_password=True,
    warnings=("Look here.",),
)
SECRET = secret_fields(MAP, "wp_password")


def test_no_secret_gets_into_the_outcome() -> None:
    done = outcome(NEW, Applied("7", "ada", "ada@example.com", created=True, changes=("city",)), SECRET)
    assert "s3cret" not in str(done)
    assert done.data["trail"]["contact"]["fields"]["wp_password"] == HIDDEN
    assert f"set note to {HIDDEN}" in done.data["trail"]["plan"]
    assert "set city to Lisbon" in done.data["trail"]["plan"]


def test_a_created_member_in_one_sentence() -> None:
    done = outcome(NEW, Applied("7", "ada", "ada@example.com", created=True), SECRET)
    assert done.state is State.APPLIED
    assert done.message == (
        "Created member ada <ada@example.com> as customer (with tag Course); "
        "a welcome e-mail and the password to the CRM follow."
    )
    assert done.data["warnings"] == ["Look here."]


def test_a_dry_run_says_what_would_have_been() -> None:
    done = outcome(NEW, None, SECRET, dry_run=True)
    assert done.message.startswith("Would have created member ada <ada@example.com> as customer")
    assert done.data["member"] == {"id": None, "login": "ada", "email": "ada@example.com", "created": True}


def test_changes_nothing_failed_ignored() -> None:
    member = Member("7", "ada@example.com", "ada@example.com")
    change = Plan(CONTACT, member, changes=Changes(fields={"city": "Porto"}))
    changed = outcome(change, Applied("7", "ada@example.com", "ada@example.com", changes=("city",)), SECRET)
    assert (changed.state, changed.message) == (State.APPLIED, "Updated member ada@example.com: city.")
    same = outcome(Plan(CONTACT, member), None, SECRET)
    assert (same.state, same.message) == (State.UNCHANGED, "Member ada@example.com is already up to date.")
    refused = outcome(change, Applied(status=ApplyStatus.REJECTED, message="Too long."), SECRET)
    assert (refused.state, refused.message, refused.data["member"]) == (State.FAILED, "Too long.", None)
    assert outcome(Plan(CONTACT, ignored="Nobody."), None, SECRET).state is State.IGNORED
    assert outcome(Plan(CONTACT, failed="No."), None, SECRET).state is State.FAILED


def test_roles_that_come_and_go_are_named() -> None:
    member = Member("7", "ada", "ada@example.com", roles=frozenset({"trial"}))
    changes = Changes(roles_added=("student", "reader"), roles_removed=("trial",), tags_applied=CONTACT.tags or ())
    done = outcome(Plan(CONTACT, member, changes=changes), None, SECRET, dry_run=True)
    assert done.message == (
        "Would have updated member ada <ada@example.com>: role, tags "
        "(with roles student, reader; without role trial; with tag Course)."
    )
    assert done.data["changes"] == ["role", "tags"]
    assert done.data["trail"]["plan"][:3] == ["add the role student", "add the role reader", "remove the role trial"]
    new = Plan(
        CONTACT, username="ada", changes=Changes(email="ada@example.com", role="customer", roles_added=("student",))
    )
    assert outcome(new, None, SECRET).message == "Created member ada <ada@example.com> as customer, student."
