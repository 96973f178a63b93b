"""The table and the rules of "What an action does", line by line."""

from __future__ import annotations

from dataclasses import replace

import pytest

from memberhook.core.types import Action, Intent, Tag, TagRole, UsernameFormat
from tests.core.world import (
    ADD,
    GOLD,
    NEWS,
    OLD,
    SNAPSHOT,
    UPDATE,
    UPDATE_TAGS,
    contact,
    made,
    mark,
    member,
    options,
)


def snapshot(**more):
    return replace(SNAPSHOT, **more)


class TestNewMember:
    def test_add_creates_with_all_that_is_mapped(self):
        created = made(who=contact(tags=(GOLD, NEWS)))
        assert created.creates
        assert created.username == "ada@example.com"
        assert created.link
        assert created.changes.email == "ada@example.com"
        assert created.changes.role == "subscriber"
        assert created.changes.fields == {"first_name": "Ada", "last_name": "King", "display_name": "Ada King"}
        assert created.changes.tags_applied == (GOLD, NEWS)
        assert created.warnings == ()

    @pytest.mark.parametrize("intent", [UPDATE, UPDATE_TAGS])
    def test_the_other_actions_do_not(self, intent):
        nobody = made(intent)
        assert 'only "add" creates members' in (nobody.ignored or "")
        assert nobody.changes_nothing
        assert not nobody.creates

    def test_a_contact_without_id_is_not_linked(self):
        assert not made(who=contact(id=None)).link

    @pytest.mark.parametrize("email", ["", "ada", "a b@example.com"])
    def test_without_a_usable_email_there_is_no_member(self, email):
        failed = made(who=contact(email))
        assert (failed.failed or "").startswith("The contact has no usable e-mail address")
        assert not failed.creates
        assert failed.changes_nothing

    def test_a_mapped_email_comes_before_the_contacts(self):
        opts = options(("user_email", "work"))
        assert made(who=contact(fields={"work": "w@example.com"}), opts=opts).changes.email == "w@example.com"

    def test_a_mapped_email_that_a_member_has_is_not_given_out_again(self):
        opts = options(("user_email", "work"))
        failed = made(
            who=contact(fields={"work": "W@example.com"}),
            opts=opts,
            snapshot=snapshot(emails={"w@example.com": ("5",)}),
        )
        assert 'Another member of the site has the e-mail "W@example.com"' in (failed.failed or "")

    def test_display_name(self):
        opts = options(("display_name", "nick"))
        assert made(who=contact(fields={"nick": "Countess"}), opts=opts).changes.fields["display_name"] == "Countess"
        assert made(who=contact(fields={"nick": ""}), opts=opts).changes.fields["display_name"] == "Ada King"
        assert made(who=contact(fields={"last_name": ""})).changes.fields["display_name"] == "Ada"
        nameless = made(who=contact(fields={"first_name": "", "last_name": ""}))
        assert nameless.changes.fields == {"display_name": "ada@example.com"}

    def test_two_names_make_no_tag_together(self):
        created = made(who=contact(fields={"first_name": "Ada <img", "last_name": "src=x onerror=y()> King"}))
        assert created.changes.fields["display_name"] == "Ada  King"

    def test_a_display_name_that_the_owner_wants_empty_is_not_made_up(self):
        created = made(who=contact(fields={"nick": ""}), opts=options(("display_name", "nick", "text", True)))
        assert "display_name" not in created.changes.fields

    def test_a_taken_username_gives_the_nearest_and_a_warning(self):
        created = made(snapshot=snapshot(taken_usernames=frozenset({"ada@example.com", "ada@example.com-2"})))
        assert created.username == "ada@example.com-3"
        assert created.warnings == ('The username "ada@example.com" is taken, so it is "ada@example.com-3".',)

    def test_a_username_that_the_site_does_not_take_is_reported(self):
        created = made(who=contact("o'neil@example.com"))
        assert created.username == "oneil@example.com"
        assert "characters that it does not take" in created.warnings[0]

    def test_capitals_do_not_make_a_username_free(self):
        opts = options(("user_login", "nick"))
        created = made(
            who=contact(fields={"nick": "ADA"}), opts=opts, snapshot=snapshot(taken_usernames=frozenset({"ada"}))
        )
        assert created.username == "ADA-2"

    def test_first_number(self):
        opts = options(username_format=UsernameFormat.FIRST_NUMBER)
        assert made(opts=opts).username == "ada1"
        assert made(opts=opts).warnings == ()
        assert made(opts=opts, snapshot=snapshot(taken_usernames=frozenset({"ada1"}))).username == "ada2"

    def test_roles(self):
        assert made(Intent(Action.ADD, ("Customer",))).changes.role == "customer"
        refused = made(Intent(Action.ADD, ("administrator",)))
        assert refused.changes.role == "subscriber"
        assert len(refused.warnings) == 1
        assert (
            made(who=contact(fields={"level": "customer"}), opts=options(("role", "level"))).changes.role == "customer"
        )
        two = made(who=contact(fields={"level": ("vip", "customer")}), opts=options(("role", "level")))
        assert two.changes.role == "customer"

    def test_a_generated_password_may_go_back(self):
        created = made(opts=options(return_password=True))
        assert (created.generate_password, created.return_password, created.changes.password) == (True, True, None)
        assert not made().return_password

    def test_a_generated_password_cannot_go_back_to_a_contact_without_id(self):
        assert not made(who=contact(id=None), opts=options(return_password=True)).return_password

    def test_a_mapped_password_is_used_and_never_goes_back(self):
        created = made(who=contact(fields={"p": " s3cret "}), opts=options(("user_pass", "p"), return_password=True))
        assert (created.generate_password, created.return_password) == (False, False)
        assert created.changes.password == " s3cret "

    def test_welcome(self):
        assert not made().welcome
        assert made(Intent(Action.ADD, notify=True)).welcome
        assert made(opts=options(welcome=True)).welcome

    def test_a_site_that_sends_no_welcome_e_mail_promises_none_and_says_so(self):
        none = snapshot(no_welcome="It sends none.")
        notified = made(Intent(Action.ADD, notify=True), snapshot=none)
        assert (notified.welcome, notified.warnings) == (False, ("It sends none.",))
        assert made(snapshot=none).warnings == ()

    def test_no_tags_in_the_source(self):
        created = made(who=contact(tags=None))
        assert created.changes.tags_applied == ()
        assert "came without its tags" in created.warnings[0]

    def test_two_members_with_the_email_are_never_guessed_between(self):
        for intent in (ADD, UPDATE, UPDATE_TAGS):
            failed = made(intent, snapshot=snapshot(emails={"ada@example.com": ("1", "2")}))
            assert "Several members of the site have the e-mail" in (failed.failed or "")
            assert not failed.creates
        assert made(m=member(), snapshot=snapshot(emails={"ada@example.com": ("1", "2")})).failed is None
        unlinked = member(contact_id=None)
        assert made(m=unlinked, snapshot=snapshot(emails={"ada@example.com": ("1", "2")})).failed


class TestExistingMember:
    @pytest.mark.parametrize("intent", [ADD, UPDATE, UPDATE_TAGS])
    def test_nothing_changes_when_all_is_as_in_the_crm(self, intent):
        same = made(intent, m=member())
        assert same.changes_nothing
        assert (same.link, same.welcome, same.generate_password) == (False, False, False)
        assert (same.ignored, same.failed, same.warnings) == (None, None, ())

    @pytest.mark.parametrize("intent", [ADD, UPDATE])
    def test_mapped_fields_follow(self, intent):
        changed = made(intent, m=member(fields={"first_name": "Eve", "hobby": "chess"}))
        assert changed.changes.fields == {"first_name": "Ada"}

    def test_update_tags_changes_tags_alone(self):
        intent = Intent(Action.UPDATE_TAGS, ("customer",), True)
        who = contact("new@example.com", tags=(GOLD,), fields={"p": "s3cret"})
        changed = made(
            intent, who, member(fields={"first_name": "Eve"}), options(("user_pass", "p"), ("is_staff", "p"))
        )
        assert changed.changes.names() == ("tags",)
        assert changed.warnings == ()

    def test_tags_end_as_the_contacts_and_are_known_by_their_id(self):
        renamed = Tag(GOLD.id, "platinum", "Platinum")
        changed = made(UPDATE_TAGS, contact(tags=(renamed, NEWS, NEWS)), member(tags=(GOLD, OLD)))
        assert changed.changes.tags_applied == (NEWS,)
        assert changed.changes.tags_removed == (OLD,)

    def test_tags_that_the_source_does_not_tell_stay(self):
        for intent, warns in ((ADD, True), (UPDATE, False), (UPDATE_TAGS, True)):
            kept = made(intent, contact(tags=None), member(tags=(GOLD,)))
            assert kept.changes_nothing
            assert bool(kept.warnings) is warns

    def test_empty_keeps_unless_mapped_so(self):
        who, m = contact(fields={"tel": "", "fax": ""}), member(fields={"tel": "1", "fax": "2"})
        changed = made(UPDATE, who, m, options(("tel", "tel"), ("fax", "fax", "text", True)))
        assert changed.changes.fields == {"fax": None}

    def test_an_unreadable_value_keeps_the_field_and_is_reported(self):
        who, m = contact(fields={"until": "31.1.27"}), member(fields={"until": "2026-01-31"})
        changed = made(UPDATE, who, m, options(("until", "until", "date", True)))
        assert changed.changes_nothing
        assert "until" in changed.warnings[0]

    def test_only_a_mapped_display_name_is_touched(self):
        m = member(fields={"display_name": "Her Grace"})
        who = contact(fields={"first_name": "Augusta", "nick": "Countess"})
        assert "display_name" not in made(UPDATE, who, m).changes.fields
        assert made(UPDATE, who, m, options(("display_name", "nick"))).changes.fields["display_name"] == "Countess"

    def test_the_email_follows_the_crm(self):
        assert made(UPDATE, contact("new@example.com"), member()).changes.email == "new@example.com"
        assert made(UPDATE, contact("ADA@example.com"), member()).changes.email is None

    def test_an_email_that_another_member_has_is_reported_and_the_rest_applies(self):
        who = contact("NEW@example.com", fields={"first_name": "Augusta"})
        changed = made(UPDATE, who, member(), snapshot=snapshot(emails={"new@example.com": ("2",)}))
        assert changed.changes.names() == ("first_name",)
        assert "Another member has the e-mail" in changed.warnings[0]
        own = made(UPDATE, who, member(), snapshot=snapshot(emails={"new@example.com": ("1",)}))
        assert own.changes.email == "NEW@example.com"

    def test_an_unusable_email_is_reported_and_a_missing_one_is_not(self):
        changed = made(UPDATE, contact("nonsense"), member())
        assert changed.changes_nothing
        assert "no usable address" in changed.warnings[0]
        assert made(UPDATE, contact("", fields={"email": ""}), member()).warnings == ()

    @pytest.mark.parametrize("action", [Action.ADD, Action.UPDATE])
    def test_roles(self, action):
        assert made(Intent(action, ("customer",)), m=member()).changes.role == "customer"
        assert made(Intent(action), m=member(roles=frozenset({"vip"}))).changes.role is None
        refused = made(Intent(action, ("vip",)), m=member())
        assert refused.changes_nothing
        assert "the member's role stays" in refused.warnings[0]
        level = contact(fields={"level": "customer"})
        assert made(Intent(action), level, member(), options(("role", "level"))).changes.role == "customer"

    @pytest.mark.parametrize("intent", [ADD, UPDATE, UPDATE_TAGS])
    def test_roles_follow_tags(self, intent):
        opts = options(tag_roles=(TagRole("gold", "customer"),))
        added = made(intent, contact(tags=(GOLD,)), member(), opts).changes
        assert (added.role, added.roles_added, added.names()) == (None, ("customer",), ("role", "tags"))
        both = member(roles=frozenset({"subscriber", "customer"}), tags=(GOLD,))
        assert made(intent, contact(tags=(GOLD,)), both, opts).changes_nothing
        assert made(intent, contact(tags=()), both, opts).changes.roles_removed == ("customer",)
        assert made(intent, contact(tags=None), both, opts).changes_nothing
        kept = made(intent, contact(tags=()), replace(both, protected=True), opts)
        assert kept.changes.names() == ("tags",)
        assert "protected" in kept.warnings[0]
        assert "Left as it is: role." in kept.warnings[0]

    def test_a_network_user_gets_the_roles_of_a_new_member(self):
        opts = options(tag_roles=(TagRole("gold", "customer"),))
        joining = made(ADD, contact(tags=(GOLD,)), member(roles=frozenset(), network_user=True), opts).changes
        assert (joining.role, joining.roles_added) == ("subscriber", ("customer",))

    @pytest.mark.parametrize("intent", [ADD, UPDATE])
    def test_a_changed_password_is_set(self, intent):
        who, opts = contact(fields={"p": "s3cret"}), options(("user_pass", "p"))
        assert made(intent, who, member(), opts).changes.password == "s3cret"
        assert made(intent, who, member(password_mark=mark("old")), opts).changes.password == "s3cret"
        assert made(intent, who, member(password_mark=mark("s3cret")), opts).changes.password is None
        assert made(intent, contact(fields={"p": ""}), member(), opts).changes.password is None

    def test_a_password_that_may_not_have_changed_is_not_set_again_and_again(self):
        who, opts = contact(id=None, fields={"p": "s3cret"}), options(("user_pass", "p"))
        kept = made(UPDATE, who, member(contact_id=None), opts)
        assert kept.changes.password is None
        assert "without its id" in kept.warnings[0]
        assert made(UPDATE, who, member(contact_id="7"), opts).changes.password == "s3cret"

    def test_the_username_never_changes(self):
        changed = made(UPDATE, contact(fields={"nick": "countess"}), member(), options(("user_login", "nick")))
        assert changed.changes_nothing
        assert changed.username is None

    def test_add_sends_no_welcome_and_makes_no_password(self):
        changed = made(Intent(Action.ADD, notify=True), m=member(), opts=options(welcome=True, return_password=True))
        assert (changed.welcome, changed.generate_password, changed.return_password) == (False, False, False)

    def test_found_by_email_is_linked(self):
        for intent in (ADD, UPDATE, UPDATE_TAGS):
            linked = made(intent, m=member(contact_id=None))
            assert linked.link
            assert linked.warnings == ()
            assert linked.changes_nothing

    def test_a_link_that_moves_is_reported(self):
        linked = made(UPDATE_TAGS, m=member(contact_id="3"))
        assert linked.link
        assert "contact 3 before; now with 7" in linked.warnings[0]
        assert not made(who=contact(id=None), m=member(contact_id="3")).link


def test_a_plan_shows_no_values_of_fields():
    who = contact(fields={"wp_password": "tulip", "p": "orchid"})
    opts = options(("user_pass", "p"), ("copy", "wp_password"))
    for m in (None, member(fields={"copy": "violet"})):
        shown = repr(made(who=who, m=m, opts=opts))
        assert not [word for word in ("tulip", "orchid", "violet") if word in shown]
