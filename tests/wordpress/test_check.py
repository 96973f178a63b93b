"""What the check learns from the connector. Without it: test_core.py."""

from __future__ import annotations

from memberhook.core.http_client import HttpClient
from memberhook.engine.clients import open_site_row
from memberhook.models.connections import Site
from tests.wordpress.conftest import site_row
from tests.wordpress.runner import WordPress


def test_a_user_who_can_do_more_than_needed(connected: WordPress, db: None, http: HttpClient) -> None:
    """Every installation from before the connector had a user of its own."""
    row = site_row(connected)
    checked = open_site_row(row, lambda _: http).check()
    assert checked.problem is None
    (note,) = [result for result in checked.results if not result.ok]
    assert (note.name, note.needed) == ("user", False)


def test_all_is_well(connected: WordPress, row: Site, http: HttpClient) -> None:
    checked = open_site_row(row, lambda _: http).check()
    assert [result.name for result in checked.results if not result.ok] == []
    assert checked.results[-1].name == "connector"
    capabilities = checked.capabilities
    assert (capabilities["transport"], capabilities["plain_permalinks"], capabilities["multisite"]) == (
        "connector",
        False,
        False,
    )
    assert (capabilities["wordpress"], capabilities["default_role"]) == (connected.version, "subscriber")
    assert set(capabilities) == {
        *(
            "transport",
            "plain_permalinks",
            "wordpress",
            "php",
            "connector",
            "multisite",
            "default_role",
            "roles",
            "meta_keys",
        ),
        *("fluentcrm", "rehash"),
    }
    privileged = {role["slug"]: role["privileged"] for role in capabilities["roles"]}
    assert (privileged["customer"], privileged["editor"]) == (False, True)
