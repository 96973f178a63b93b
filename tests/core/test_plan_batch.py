from __future__ import annotations

from dataclasses import replace

from memberhook.core.plan import plan_batch
from memberhook.core.types import UsernameFormat
from tests.core.world import ADD, OPTIONS, SNAPSHOT, UPDATE, contact, item, mark, member, options


def batch(*items, opts=OPTIONS, snapshot=SNAPSHOT):
    return plan_batch([item(intent, who, m, opts) for intent, who, m in items], opts, snapshot, mark)


def test_usernames_of_earlier_plans_are_taken_for_later_ones():
    opts = options(username_format=UsernameFormat.FIRST_NUMBER)
    plans = batch(*[(ADD, contact(f"ada{n}@example.com", id=str(n)), None) for n in range(40)], opts=opts)
    usernames = [p.username for p in plans]
    assert usernames[:15] == [f"ada{n}" for n in range(1, 16)]
    assert len(set(usernames)) == 40


def test_the_second_of_two_contacts_with_one_new_email_fails():
    one, two = batch((ADD, contact(id="1"), None), (ADD, contact("ADA@example.com", id="2"), None))
    assert one.creates
    assert 'Another contact that came at the same time has the e-mail "ADA@example.com"' in (two.failed or "")


def test_an_email_that_a_member_just_got_is_taken():
    mover = member("old@example.com", id="5", contact_id="1")
    one, two, three = batch(
        (UPDATE, contact("new@example.com", id="1"), mover),
        (ADD, contact("NEW@example.com", id="2"), None),
        (UPDATE, contact("new@example.com", id="3"), member("x@example.com", id="6", contact_id="3")),
    )
    assert one.changes.email == "new@example.com"
    assert "Another member of the site has the e-mail" in (two.failed or "")
    assert three.changes.email is None
    assert "Another member has the e-mail" in three.warnings[0]


def test_a_contact_that_comes_twice_is_created_once():
    for second in (contact(), contact("other@example.com"), contact("ADA@example.com", id=None)):
        one, two = batch((ADD, contact(), None), (UPDATE, second, None))
        assert one.creates
        assert "The same contact was handled just before" in (two.ignored or "")
    one, two = batch((ADD, contact(id=None), None), (ADD, contact(), None))
    assert (one.creates, two.creates) == (True, False)


def test_a_member_is_planned_for_one_contact_only():
    m = member(contact_id="7")
    one, two, three = batch((UPDATE, contact(), m), (UPDATE, contact(id="8"), m), (UPDATE, contact(), m))
    assert one.failed is None
    assert "The CRM's contact 7 and this one have the same member" in (two.failed or "")
    assert three.failed is None


def test_what_failed_or_was_ignored_reserves_nothing():
    taken = replace(SNAPSHOT, emails={"ada@example.com": ("1", "2")})
    one, two, three = batch(
        (ADD, contact(id="1"), None),
        (UPDATE, contact("eve@example.com", id="2"), None),
        (ADD, contact("eve@example.com", id="2"), None),
        snapshot=taken,
    )
    assert one.failed
    assert two.ignored
    assert three.creates
    assert three.username == "eve@example.com"
