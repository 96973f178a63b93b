"""What `doctor` says of hooks whose rules name what is not there any more."""

from __future__ import annotations

import pytest

from memberhook.core.types import Tag
from memberhook.crms.contract import Catalog
from memberhook.engine.runtime import system_runtime
from memberhook.models.connections import Connection, Hook
from memberhook.models.tags import Tag as TagRow
from memberhook.services import doctor
from tests.conftest import FakeCrm, set_rows


@pytest.fixture(autouse=True)
def crm(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeCrm()
    monkeypatch.setattr(fake, "catalog", lambda: Catalog(tags=(Tag("10", "course", "Course"),)))
    monkeypatch.setattr(doctor, "crm_client", lambda connection, http: fake)


def ruled(hook: Hook, *rules: tuple[str, str]) -> None:
    set_rows(hook, tag_roles=[{"tag": tag, "role": role} for tag, role in rules])
    TagRow.objects.create(connection=Connection.objects.get(), crm_id="11", slug="trial", title="Trial")


def test_all_is_well_where_every_tag_is_there(hook: Hook) -> None:
    assert list(doctor.rule_checks(system_runtime())) == []
    ruled(hook, ("10", "customer"))
    assert [check.ok for check in doctor.rule_checks(system_runtime())] == [True]


def test_a_tag_that_the_crm_has_lost(hook: Hook) -> None:
    ruled(hook, ("10", "customer"), ("11", "customer"))
    [check] = doctor.rule_checks(system_runtime())
    assert not check.ok
    assert check.message == ("shop no longer has the tag: Trial = customer; delete the rule in the console")


def test_a_role_that_the_site_has_not(hook: Hook) -> None:
    ruled(hook, ("10", "vanished"))
    [roles] = [check for check in doctor.hook_checks(system_runtime()) if check.name.endswith("roles")]
    assert not roles.ok
    assert "no role vanished" in roles.message
