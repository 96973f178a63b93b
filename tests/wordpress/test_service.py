"""The black-box tests of the contract and of kill -9 once more, with a WordPress as the site."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from memberhook.testing.fluentcrm import Running
from tests.server.conftest import Service, connect, crm
from tests.server.test_contract import (
    buyer,
    test_a_browser_gets_a_page,
    test_a_contact_cannot_choose_her_role,
    test_a_dry_run_changes_nothing,
    test_a_role_follows_a_tag,
    test_a_webhook_makes_a_member,
    test_async_is_answered_at_once_with_a_location,
    test_every_way_fluentcrm_sends,
    test_import_resync_and_replay,
    test_no_secret_in_logs_or_listings,
    test_update_follows_the_crm_and_ignores_strangers,
)
from tests.server.test_kill import test_killed_in_the_middle_of_a_burst, test_sigterm_finishes_what_it_has_claimed
from tests.wordpress.conftest import connector_account
from tests.wordpress.runner import WordPress

__all__ = [
    "buyer",
    "crm",
    "test_a_browser_gets_a_page",
    "test_a_contact_cannot_choose_her_role",
    "test_a_dry_run_changes_nothing",
    "test_a_role_follows_a_tag",
    "test_a_webhook_makes_a_member",
    "test_async_is_answered_at_once_with_a_location",
    "test_every_way_fluentcrm_sends",
    "test_import_resync_and_replay",
    "test_killed_in_the_middle_of_a_burst",
    "test_no_secret_in_logs_or_listings",
    "test_sigterm_finishes_what_it_has_claimed",
    "test_update_follows_the_crm_and_ignores_strangers",
]


@dataclass
class ClubService(Service):
    """Its hooks lead to a WordPress that others use too: it knows its own contacts' members and the mails since."""

    wordpress: WordPress | None = None

    def __post_init__(self) -> None:
        self._sent_before = set(self._mail_files())

    def _mail_files(self) -> list[Path]:
        assert self.wordpress
        return sorted(Path(self.wordpress.info["mails"]).glob("*.eml"))

    def cli(self, *arguments: str, stdin: str = "", status: int = 0) -> str:
        if arguments[0] == "members" or arguments[:2] == ("hook", "add"):
            arguments = (*arguments, "--site", "club")
        return super().cli(*arguments, stdin=stdin, status=status)

    def json(self, *arguments: str, stdin: str = "") -> Any:
        answer = super().json(*arguments, stdin=stdin)
        return [member for member in answer if member["contact"]] if arguments[0] == "members" else answer

    def mails(self) -> list[str]:
        return [file.read_text() for file in self._mail_files() if file not in self._sent_before]


@pytest.fixture(scope="module")
def make_club(
    tmp_path_factory: pytest.TempPathFactory, connected: WordPress, crm: Running
) -> Iterator[Callable[..., ClubService]]:
    # The contact ids of this CRM begin at 1, as those of the modules before did: their links would take its contacts.
    connected.php("delete_metadata('user', 0, 'memberhook_contact_shop', '', true);")
    made: list[ClubService] = []
    username, password = connector_account(connected)

    def make(*options: str, **settings: Any) -> ClubService:
        named = {f"MEMBERHOOK_{name}": value for name, value in settings.items()}
        service = ClubService(tmp_path_factory.mktemp("club"), named, wordpress=connected)
        made.append(service)
        account = ("--url", connected.url, "--username", username, "--password-stdin", "--allow-private")
        service.json("site", "add", "wordpress", "--name", "club", *account, stdin=password)
        service.start()
        connect(service, crm, *options)
        return service

    yield make
    for service in made:
        service.stop()


@pytest.fixture(scope="module")
def service(make_club: Callable[..., ClubService]) -> ClubService:
    return make_club("--return-password", "wp_password", "--map", "interests=interests", "--map", "city=city")


@pytest.fixture(scope="module")
def burst(make_club: Callable[..., ClubService]) -> ClubService:
    return make_club("--return-password", "wp_password", "--welcome", BATCH="10")
