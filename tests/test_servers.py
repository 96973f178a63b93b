"""What becomes of tests whose servers are missing, and of skips, tried in a pytest of its own."""

from __future__ import annotations

import pytest

from tests.servers import SERVERS

NEEDY = """
import pytest

@pytest.mark.postgresql
@pytest.mark.parametrize("number", range(3))
def test_rows(number): ...

@pytest.mark.postgresql
@pytest.mark.redis
def test_both(): ...

@pytest.mark.wordpress
@pytest.mark.php
def test_site(): ...

def test_alone(): ...
"""
SKIPS = {
    "mark": "@pytest.mark.skip(reason='no server')\ndef test_it(): ...\n",
    "call": "def test_it():\n    pytest.skip('no server')\n",
    "fixture": "@pytest.fixture\ndef server():\n    pytest.skip('no server')\n\ndef test_it(server): ...\n",
    "module": "pytest.skip('no server', allow_module_level=True)\n\ndef test_it(): ...\n",
}
NO_SKIPS = {
    "passes": "def test_it(): ...\n",
    "xfail": "@pytest.mark.xfail(reason='known')\ndef test_it():\n    raise ValueError\n",
}
PLUGINS = ("-p", "tests.servers", "-p", "no:django", "-p", "no:randomly", "-p", "no:cacheprovider")


@pytest.fixture
def machine(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """One without any of the servers, and no CI."""
    for name in ("CI", "MEMBERHOOK_TEST_POSTGRESQL_URL", "MEMBERHOOK_TEST_REDIS_URL", "MEMBERHOOK_TEST_WORDPRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(pytester.mkdir("no-programs")))
    return pytester


@pytest.fixture
def ci(machine: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("CI", "true")
    return machine


def run(machine: pytest.Pytester, code: str, *options: str) -> pytest.RunResult:
    machine.makepyfile(test_made_up=f"import pytest\n\n{code}")
    return machine.runpytest_inprocess(*PLUGINS, "-ra", "--strict-markers", *options)


MISSING = [
    "WordPress: 1 test not run; apt-get install *",
    "PHP, PHPUnit, PHP_CodeSniffer: 1 test not run; apt-get install *",
    "PostgreSQL: 4 tests not run; set MEMBERHOOK_TEST_POSTGRESQL_URL=*",
    "Redis: 1 test not run; set MEMBERHOOK_TEST_REDIS_URL=*",
]


@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_missing_server_is_one_line(machine: pytest.Pytester, processes: str) -> None:
    done = run(machine, NEEDY, "--numprocesses", processes)
    assert done.ret == 0
    done.assert_outcomes(passed=1, deselected=0 if processes == "2" else 5)
    done.stdout.fnmatch_lines(["*= missing =*", *MISSING])
    assert str(done.stdout).count("not run") == len(SERVERS)


@pytest.mark.parametrize("processes", ["0", "2"])
def test_in_ci_a_missing_server_fails(ci: pytest.Pytester, processes: str) -> None:
    done = run(ci, NEEDY, "--numprocesses", processes)
    assert done.ret == pytest.ExitCode.TESTS_FAILED
    done.stdout.fnmatch_lines(["*= FAILED: in CI nothing may be missing =*", *MISSING])


def test_a_server_that_no_selected_test_needs_is_not_missed(ci: pytest.Pytester) -> None:
    done = run(ci, NEEDY, "-m", "not (wordpress or php or postgresql)")
    assert done.ret == 0
    assert "not run" not in str(done.stdout)


def test_a_server_that_is_there_is_used(ci: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMBERHOOK_TEST_POSTGRESQL_URL", "postgresql://127.0.0.1/db")
    done = run(ci, NEEDY, "-m", "postgresql and not redis")
    assert done.ret == 0
    done.assert_outcomes(passed=3, deselected=3)


@pytest.mark.parametrize("kind", SKIPS)
def test_a_skip_fails_in_ci_and_says_what_was_skipped(ci: pytest.Pytester, kind: str) -> None:
    done = run(ci, SKIPS[kind])
    assert done.ret not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    done.stdout.fnmatch_lines(["*In CI nothing may be skipped, and this was. Skipped: no server"])


@pytest.mark.parametrize("kind", SKIPS)
def test_outside_ci_a_skip_is_a_skip(machine: pytest.Pytester, kind: str) -> None:
    done = run(machine, SKIPS[kind])
    assert done.ret in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED)
    done.assert_outcomes(skipped=1)


@pytest.mark.parametrize("kind", NO_SKIPS)
def test_what_is_no_skip_is_left_alone_in_ci(ci: pytest.Pytester, kind: str) -> None:
    assert run(ci, NO_SKIPS[kind]).ret == 0


def test_this_suite_has_the_plugin(pytestconfig: pytest.Config) -> None:
    assert pytestconfig.pluginmanager.has_plugin("tests.servers")
