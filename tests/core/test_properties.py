"""What holds for every contact, hook and site, however odd."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from memberhook.core.field_values import Result, is_empty, same, site_value
from memberhook.core.intents import merge
from memberhook.core.mapping import read
from memberhook.core.plan import plan, plan_batch
from memberhook.core.roles import is_privileged, resolve
from memberhook.core.types import Action, Contact, FieldMapping, FieldType, Intent, Plan, Role, Tag, UsernameFormat
from memberhook.core.usernames import candidates
from tests.core import strategies
from tests.core.strategies import Case
from tests.core.world import apply_to, item, made, mark, member, snapshot_with

often = settings(max_examples=100, deadline=None)


def roles_given(made: Plan) -> frozenset[str]:
    """The roles that a plan gives."""
    return frozenset(filter(None, (made.changes.role, *made.changes.roles_added)))


def planned(case: Case) -> Plan:
    return plan(item(case.intent, case.contact, case.member, case.options), case.options, case.snapshot, mark)


@often
@given(strategies.cases())
def test_planning_twice_changes_nothing_the_second_time(case: Case) -> None:
    check_twice(case)


@often
@given(strategies.cases(actions=(Action.ADD, Action.UPDATE)), st.sampled_from((None, "7")))
def test_planning_twice_changes_nothing_with_all_mapped_and_filled(case: Case, contact_id: str | None) -> None:
    filled = {**case.contact.fields, "email": "ada@example.com", "secret": "new password"}
    contact = replace(case.contact, id=contact_id, email="ada@example.com", fields=filled)
    options = replace(case.options, field_map=strategies.USUAL_MAPS[0])
    snapshot = snapshot_with(replace(case.snapshot, emails={}), case.member)
    check_twice(replace(case, contact=contact, options=options, snapshot=snapshot))


def check_twice(case: Case) -> None:
    first = planned(case)
    after = apply_to(first, case.member)
    again = plan(
        item(case.intent, case.contact, after, case.options), case.options, snapshot_with(case.snapshot, after), mark
    )
    assert not again.creates
    assert again.changes.names() == ()
    assert (again.ignored, again.failed) == (first.ignored, first.failed)
    assert not again.link or first.ignored or first.failed


@often
@given(strategies.cases(actions=(Action.ADD,)))
def test_no_role_outside_default_and_allow_list_and_no_privileged_one_unconfirmed(case: Case) -> None:
    confirmed = case.options.allowed_roles & case.options.confirmed_privileged
    names = [name for role in case.snapshot.roles for name in (role.slug, role.title, f" {role.title.upper()}")]
    for requested in (case.intent.roles, *((*case.intent.roles, name) for name in names)):
        made = planned(replace(case, intent=replace(case.intent, roles=requested)))
        for role in roles_given(made):
            assert role in case.options.allowed_roles | {case.options.default_role}
            assert role in {r.slug for r in case.snapshot.roles}
            assert role not in {r.slug for r in case.snapshot.roles if r.privileged} - confirmed


@often
@given(strategies.cases(actions=(Action.ADD, Action.UPDATE)))
def test_a_namesake_of_a_privileged_role_is_never_given(case: Case) -> None:
    namesakes = tuple(Role(role.slug.title(), "Boss", privileged=True) for role in case.snapshot.roles)
    snapshot = replace(case.snapshot, roles=(*case.snapshot.roles, *namesakes))
    for name in (role.slug for role in case.snapshot.roles):
        made = planned(replace(case, snapshot=snapshot, intent=replace(case.intent, roles=(name,))))
        assert roles_given(made) <= case.options.allowed_roles & case.options.confirmed_privileged


@often
@given(strategies.cases(strategies.members(), actions=(Action.UPDATE_TAGS,)))
def test_update_tags_gives_no_field_and_no_role_but_by_tags(case: Case) -> None:
    changes = planned(case).changes
    assert set(changes.names()) <= {"role", "tags"}
    assert changes.role is None
    assert set(changes.roles_removed) <= governed(case)
    assert set(changes.roles_added) <= governed(case) | {case.options.default_role}


def governed(case: Case, tags: Collection[Tag] | None = None) -> set[str]:
    """The roles that rules of the hook may give; or only those that rules for these tags give."""
    names = {text.strip().casefold() for tag in tags or () for text in (tag.id, tag.slug, tag.title)} - {""}
    rules = [rule for rule in case.options.tag_roles if tags is None or rule.tag.strip().casefold() in names]
    return {role for rule in rules if (role := grantable(case, rule.role))}


def grantable(case: Case, name: str) -> str | None:
    """The slug of the role, if an address of the hook may ask for it."""
    options, snapshot = replace(case.options, tag_roles=(), field_map=()), replace(case.snapshot, emails={})
    return made(
        Intent(Action.UPDATE, (name,)), m=member(roles=frozenset()), opts=options, snapshot=snapshot
    ).changes.role


@often
@given(strategies.cases())
def test_tags_alone_decide_about_the_roles_of_rules(case: Case) -> None:
    plan, before = planned(case), case.member
    protected = before and (before.protected or is_privileged(before, case.snapshot.roles))
    if plan.ignored or plan.failed or protected:
        return
    after = apply_to(plan, before)
    assert after
    held = after.roles & governed(case)
    if case.contact.tags is not None:
        meant = governed(case, case.contact.tags)
    else:
        meant = before.roles & governed(case) if before and not before.network_user else set()
    only_the_default = not meant and after.roles == {case.options.default_role}
    assert held == meant or only_the_default


@often
@given(strategies.cases(strategies.members()))
def test_nobody_loses_the_last_role_where_there_is_a_default_one(case: Case) -> None:
    assert case.member
    after = apply_to(planned(case), case.member)
    assert after
    plain = replace(case.options, tag_roles=(), field_map=())
    if case.member.roles and made(opts=plain, snapshot=replace(case.snapshot, emails={})).changes.role:
        assert after.roles


@often
@given(strategies.cases(actions=(Action.ADD, Action.UPDATE)))
def test_the_roles_that_add_and_update_leave_are_those_of_update_tags(case: Case) -> None:
    plan = planned(case)
    if not plan.ignored and not plan.failed:
        after = apply_to(plan, case.member)
        tags_only = replace(
            case, intent=Intent(Action.UPDATE_TAGS), member=after, snapshot=snapshot_with(case.snapshot, after)
        )
        assert "role" not in planned(tags_only).changes.names()


@often
@given(strategies.cases(strategies.members()))
def test_protected_members_keep_email_username_password_and_role(case: Case) -> None:
    assert case.member is not None
    member = replace(case.member, protected=True)
    made = planned(replace(case, member=member))
    after = apply_to(made, member)
    assert after is not None
    assert (after.email, after.username, after.roles) == (member.email, member.username, member.roles)
    assert not set(made.changes.names()) & {"user_login", "user_email", "user_pass", "role"}
    assert not made.generate_password


@often
@given(strategies.cases(strategies.members()))
def test_whoever_holds_a_privileged_role_is_protected(case: Case) -> None:
    assert case.member is not None
    roles = (*case.snapshot.roles, Role("boss", "Boss", privileged=True))
    member = replace(case.member, protected=False, roles=case.member.roles | {"boss"})
    made = planned(replace(case, member=member, snapshot=replace(case.snapshot, roles=roles)))
    assert not set(made.changes.names()) & {"user_email", "user_pass", "role"}


@often
@given(strategies.cases(strategies.members()))
def test_a_warning_tells_of_protection_exactly_where_it_held_something_back(case: Case) -> None:
    assert case.member is not None
    plain = replace(case.member, roles=frozenset({"nobody"}), protected=False)
    free = planned(replace(case, member=plain))
    bound = planned(replace(case, member=replace(plain, protected=True)))
    warnings = set(bound.warnings) - set(free.warnings)
    assert bool(warnings) == bool({"user_email", "user_pass", "role"} & set(free.changes.names()))
    assert (bound.changes.fields, bound.changes.tags_applied) == (free.changes.fields, free.changes.tags_applied)
    assert bound.changes.tags_removed == free.changes.tags_removed


@often
@given(strategies.cases(strategies.members()))
def test_an_empty_crm_value_never_clears_a_field_unless_mapped_so(case: Case) -> None:
    changed = planned(case).changes.fields
    for name, value in changed.items():
        sources = [m for m in case.options.field_map if m.site_field == name]
        assert sources
        held = [case.contact.fields.get(m.crm_field) for m in sources]
        if is_empty(value):
            assert any(m.clears for m in sources)
        if all(is_empty(v) for v in held):
            assert any(m.clears for m in sources)


@often
@given(strategies.cases(strategies.members()))
def test_without_clearing_mappings_no_field_gets_empty(case: Case) -> None:
    kept = tuple(replace(mapping, clears=False) for mapping in case.options.field_map)
    made = planned(replace(case, options=replace(case.options, field_map=kept)))
    assert not [name for name, value in made.changes.fields.items() if is_empty(value)]


@often
@given(strategies.cases())
def test_tags_end_exactly_as_the_contacts(case: Case) -> None:
    made = planned(case)
    if made.ignored or made.failed:
        return
    after = apply_to(made, case.member)
    assert after is not None
    before = case.member.tags if case.member else ()
    meant = before if case.contact.tags is None else case.contact.tags
    assert {tag.id for tag in after.tags} == {tag.id for tag in meant}
    assert not {tag.id for tag in made.changes.tags_applied} & {tag.id for tag in before}


@often
@given(strategies.cases(st.none(), actions=(Action.ADD,)), st.integers(0, 10))
def test_a_new_username_is_free_within_the_rules_and_not_empty(case: Case, gone: int) -> None:
    shouting = replace(case.contact, email="ADA@Example.com")
    usual = replace(case.options, field_map=(), username_format=UsernameFormat.EMAIL)
    for odd in (case, replace(case, contact=shouting, options=usual)):
        check_new_username(odd, gone)


def check_new_username(case: Case, gone: int) -> None:
    """Takes away as many of the first choices as `gone` says."""
    rules = case.snapshot.username_rules
    first = islice(candidates(read(case.contact, case.options), case.options.username_format, rules), gone)
    taken = case.snapshot.taken_usernames | {username.lower() for username in first}
    made = planned(replace(case, snapshot=replace(case.snapshot, taken_usernames=taken)))
    if not made.creates:
        return
    assert made.username is not None
    assert made.username.lower() not in taken
    assert re.fullmatch(f"[{rules.allowed}]+", made.username)
    assert 0 < len(made.username) <= rules.max_length


@often
@given(strategies.contacts(), strategies.hook_options)
def test_all_candidates_differ_and_obey_the_rules(contact, options) -> None:
    for rules in strategies.USERNAME_RULES:
        first = list(islice(candidates(read(contact, options), options.username_format, rules), 20))
        assert len({username.lower() for username in first}) == 20
        assert all(re.fullmatch(f"[{rules.allowed}]{{1,{rules.max_length}}}", username) for username in first)


@often
@given(strategies.cases(st.none()), st.lists(strategies.contacts(), min_size=1, max_size=6))
def test_a_batch_reserves_nothing_twice(case: Case, more: list[Contact]) -> None:
    snapshot, options = case.snapshot, case.options
    items = [item(Intent(Action.ADD), contact, None, options) for contact in (case.contact, *more)]
    made = [p for p in plan_batch(items, options, snapshot, mark) if p.creates]
    usernames = [(p.username or "").lower() for p in made]
    emails = [(p.changes.email or "").lower() for p in made]
    ids = [p.contact.id for p in made if p.contact.id]
    assert len(set(usernames)) == len(set(emails)) == len(made)
    assert not set(usernames) & snapshot.taken_usernames
    assert not set(emails) & snapshot.emails.keys()
    assert len(set(ids)) == len(ids)


@often
@given(strategies.cases())
def test_a_batch_of_one_is_a_plan(case: Case) -> None:
    assert plan_batch(
        [item(case.intent, case.contact, case.member, case.options)], case.options, case.snapshot, mark
    ) == [planned(case)]


@often
@given(st.lists(strategies.intents, min_size=1, max_size=5), st.lists(strategies.intents, max_size=5))
def test_merging_in_two_steps_is_merging_at_once(earlier: list[Intent], later: list[Intent]) -> None:
    assert merge(earlier + later) == merge([merge(earlier), *later])


@often
@given(strategies.cases(), st.sampled_from(FieldType), st.booleans())
def test_passwords_are_never_in_a_repr(case: Case, type_: FieldType, twice: bool) -> None:
    password = "correct horse battery staple"
    fields = {**case.contact.fields, "secret": password}
    mapped = [FieldMapping("user_pass", "secret", type_)] + [FieldMapping("wp_password", "secret", type_)] * twice
    others = tuple(m for m in case.options.field_map if m.crm_field != "secret" and m.site_field != "user_pass")
    options = replace(case.options, field_map=(*others, *mapped))
    made = planned(replace(case, contact=replace(case.contact, fields=fields), options=options))
    assert password not in repr(made)
    assert password not in repr(apply_to(made, case.member))


@often
@given(strategies.cases())
def test_fields_with_an_own_meaning_and_closed_ones_are_never_plain_fields(case: Case) -> None:
    assert not planned(case).changes.fields.keys() & {*strategies.OWN_FIELDS, *strategies.CLOSED_FIELDS}


@often
@given(strategies.value, st.booleans())
def test_reading_what_was_read_gives_the_same(value, clears: bool) -> None:
    for type_ in FieldType:
        mapping = FieldMapping("thing", "thing", type_, clears)
        reading = site_value(value, mapping)
        if reading.result is Result.VALUE:
            assert not is_empty(reading.value)
            assert same(site_value(reading.value, mapping).value, reading.value)
        else:
            assert reading.value is None
        assert (reading.result is Result.UNREADABLE) == bool(reading.warning)


@often
@given(strategies.role_names, strategies.roles())
def test_a_resolved_role_is_one_of_the_sites(name: str, roles) -> None:
    role = resolve(name, roles)
    assert role is None or role in roles
