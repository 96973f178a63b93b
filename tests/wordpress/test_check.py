"""What the check learns from the connector. Without it: test_core.py."""

from __future__ import annotations

from memberhook.connections.clients import open_site_row
from memberhook.connections.models import Site
from memberhook.net import HttpClient
from tests.wordpress.conftest import site_row
from tests.wordpress.runner import WordPress


def test_a_user_who_can_do_more_than_needed(connected: WordPress, db: None, http: HttpClient) -> None:
    """Every installation from before the connector had a user of its own."""
    row = site_row(connected)
    checked = open_site_row(row, lambda _: http).check()
    assert checked.problem is None
    (note,) = [finding for finding in checked.findings if not finding.ok]
    assert (note.name, note.needed) == ("user", False)


def test_all_is_well(connected: WordPress, row: Site, http: HttpClient) -> None:
    checked = open_site_row(row, lambda _: http).check()
    assert [finding.name for finding in checked.findings if not finding.ok] == []
    assert checked.findings[-1].name == "connector"
    facts = checked.facts
    assert (facts["way"], facts["plain"], facts["multisite"]) == ("connector", False, False)
    assert (facts["wordpress"], facts["default_role"]) == (connected.version, "subscriber")
    assert set(facts) == {
        *("way", "plain", "wordpress", "php", "connector", "multisite", "default_role", "roles", "meta_keys"),
        *("fluentcrm", "rehash"),
    }
    privileged = {role["slug"]: role["privileged"] for role in facts["roles"]}
    assert (privileged["customer"], privileged["editor"]) == (False, True)
