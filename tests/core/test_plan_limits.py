"""Where the plan holds back: protected members and stale data."""

from __future__ import annotations

from dataclasses import replace

from memberhook.core.types import Action, Intent
from tests.core.world import GOLD, OPTIONS, UPDATE, contact, made, mark, member, options


class TestProtectedMember:
    MEMBER = member(protected=True, roles=frozenset({"administrator"}), password_mark=mark("old"))

    def test_email_password_and_role_stay_and_the_rest_applies(self):
        who = contact("new@example.com", tags=(GOLD,), fields={"p": "s3cret", "first_name": "Augusta"})
        changed = made(Intent(Action.ADD, ("customer",)), who, self.MEMBER, options(("user_pass", "p")))
        assert changed.changes.names() == ("first_name", "tags")
        (warning,) = changed.warnings
        assert warning.endswith("Left as it is: e-mail, role, password.")

    def test_no_warning_where_nothing_was_held_back(self):
        who, opts = contact(fields={"p": "old"}), options(("user_pass", "p"), ("user_login", "p"))
        assert made(Intent(Action.UPDATE), who, self.MEMBER, opts).warnings == ()
        assert made(Intent(Action.UPDATE, ("administrator",)), who, self.MEMBER, opts).warnings == ()

    def test_a_privileged_role_protects_even_if_the_site_did_not_say_so(self):
        changed = made(UPDATE, contact("new@example.com"), replace(self.MEMBER, protected=False))
        assert changed.changes_nothing


class TestStaleData:
    OLD, NEW = "2026-11-23 11:10:49", "2026-11-23 11:10:50"
    TRUSTING = options(trust_payload=True)

    def outcome(self, version, applied, opts=TRUSTING, **linked):
        who = contact(version=version, fields={"first_name": "Augusta"})
        return made(UPDATE, who, member(contact_version=applied, **linked), opts)

    def test_older_than_what_was_applied_is_ignored(self):
        late = self.outcome(self.OLD, self.NEW)
        assert self.OLD in (late.ignored or "")
        assert self.NEW in (late.ignored or "")
        assert late.changes_nothing

    def test_everything_else_is_applied(self):
        for version, applied in ((self.NEW, self.OLD), (self.NEW, self.NEW), (None, self.NEW), (self.OLD, None)):
            assert self.outcome(version, applied).changes.fields == {"first_name": "Augusta"}
        assert self.outcome(self.OLD, self.NEW, OPTIONS).changes.fields

    def test_versions_of_two_contacts_are_not_compared(self):
        assert self.outcome(self.OLD, self.NEW, contact_id="3").ignored is None
        assert self.outcome(self.OLD, self.NEW, contact_id=None).ignored
