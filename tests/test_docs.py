"""What the documentation says is true: its commands run, its words are the program's, its links lead somewhere."""

from __future__ import annotations

import importlib
import json
import os
import re
import runpy
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from memberhook import conf
from memberhook.core.states import MOVES
from memberhook.intake.query import CONTROL
from memberhook.sites.wordpress import plugin_file
from memberhook.testing.fluentcrm import Running, SimulatedFluentCRM
from tests.docs_pages import (
    KINDS,
    PAGES,
    README,
    ROOT,
    Block,
    anchors,
    blocks,
    imported,
    links,
    program_strings,
    prose,
    raised_codes,
)
from tests.docs_reader import Reader, Snapshot, example_project, matches, same_shape
from tests.fake_wordpress import over_http
from tests.loopback import Loopback
from tests.server.conftest import PASSWORD, Service, connect
from tests.servers import new_postgresql_database

DJANGO_PAGE = ROOT / "docs" / "django.md"
FROM_NOTHING = {"README.md", "start.md", "fluentcrm.md", "django.md"}
"""Pages that set everything up themselves. The others begin with a connection, a hook and a delivery."""
WITH_A_ROLE = {"cli.md"}
"""Pages whose commands need the role `customer` to be there already, but nothing else."""
RUN_PYTHON = {"add_a_crm.md"}
POSTGRESQL = os.environ.get("MEMBERHOOK_TEST_POSTGRESQL_URL", "")
LARGEST_PICTURE = 80_000  # bytes
SETTINGS_OF_TESTS = {"MEMBERHOOK_TEST_POSTGRESQL_URL", "MEMBERHOOK_TEST_REDIS_URL"}


def names(page: Path) -> str:
    return page.name


def all_blocks(*kinds: str) -> list[Block]:
    return [block for page in PAGES for block in blocks(page) if not kinds or block.kind in kinds]


# Commands


@dataclass
class World:
    """The running service and its database at the moments at which pages begin."""

    service: Service
    crm: Running
    wordpress: str
    database_url: str
    nothing: Snapshot
    with_a_role: Snapshot
    set_up: Snapshot


@pytest.fixture(scope="module")
def shop() -> Iterator[Running]:
    """The CRM of the pages: Ada, contact 1254, has bought the course."""
    simulated = SimulatedFluentCRM(datetime.now)
    simulated.add_user("memberhook", PASSWORD)
    simulated.add_tag("Course")
    simulated.add_field("wp_password", "text", "WP Password")
    simulated.add_contact("ada@example.com", "Ada", "Lovelace", tags=("Course",), phone="+351 555 0199", id=1254)
    with Running(simulated) as running:
        yield running


@pytest.fixture(scope="module")
def other_database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if not POSTGRESQL:
        yield f"sqlite:///{tmp_path_factory.mktemp('other') / 'memberhook.sqlite3'}"
        return
    with new_postgresql_database() as url:
        yield url


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, shop: Running, other_database: str) -> Iterator[World]:
    service = Service(tmp_path_factory.mktemp("data"))
    try:
        service.start()
        nothing = Snapshot(service).take()
        service.cli("role", "add", "customer")
        with_a_role = Snapshot(service).take()
        connect(service, shop, "--return-password", "wp_password")
        service.hook("wpf_action=add", {"id": 1254})
        assert service.settle(1)[0]["status"] == "applied"
        set_up = Snapshot(service).take()
        with Loopback(over_http) as wordpress:
            yield World(service, shop, wordpress.url, other_database, nothing, with_a_role, set_up)
        for snapshot in (nothing, with_a_role, set_up):
            snapshot.copy.close()
    finally:
        service.stop()


@pytest.mark.parametrize("page", [p for p in PAGES if any(b.kind == "sh" for b in blocks(p))], ids=names)
def test_commands_run_and_print_what_is_shown(world: World, page: Path, tmp_path: Path) -> None:
    reader = Reader(world.service, world.crm, tmp_path, world.database_url, world.wordpress)
    if page == DJANGO_PAGE:
        reader.folder, reader.project = example_project(tmp_path), True
    if page.name in FROM_NOTHING:
        world.nothing.put_back()
    elif page.name in WITH_A_ROLE:
        world.with_a_role.put_back()
    else:
        world.set_up.put_back()
        reader.key = world.service.key
    printed = ""
    for block in blocks(page):
        if block.kind == "sh":
            printed = reader.follow(block)
        elif block.kind == "output":
            assert matches(block.text, reader.shown(printed)), f"{block}: it printed\n{reader.shown(printed)}"
        elif block.kind == "json":
            assert same_shape(json.loads(block.text), json.loads(printed)), f"{block}: the answer was\n{printed}"


def test_output_is_compared_line_by_line() -> None:
    assert matches("a … c\nd\n", "a b c\nd")
    assert not matches("a … c\n", "a b c\nd")
    assert not matches("a … c\n", "a b\nc")
    assert same_shape({"a": [1], "b": None}, {"a": ["x"], "b": 3})
    assert not same_shape({"a": 1}, {"a": 1, "b": 2})
    assert not same_shape({"a": {"b": 1}}, {"a": {"b": "1"}})


# Blocks of other kinds


@pytest.mark.parametrize("block", all_blocks(), ids=str)
def test_every_block_is_of_a_kind_that_tests_know(block: Block) -> None:
    assert block.kind in KINDS, f"{block} is {block.kind!r}; known are {', '.join(KINDS)}"


@pytest.mark.parametrize("block", all_blocks("python"), ids=str)
def test_python_compiles_and_what_it_imports_is_there(block: Block) -> None:
    compile(block.text, str(block), "exec")
    for module, name in imported(block):
        assert hasattr(importlib.import_module(module), name), f"{block}: {module} has no {name}"


def test_recipes_are_shown_as_they_are() -> None:
    recipes = [path.read_text("utf-8") for path in sorted((ROOT / "docs" / "recipes").iterdir())]
    assert sorted(recipes) == sorted(block.text for block in all_blocks("php") if is_file(block))


@pytest.mark.parametrize("page", sorted(RUN_PYTHON))
def test_python_of_a_page_runs(page: str) -> None:
    names_so_far: dict[str, object] = {}
    for block in blocks(ROOT / "docs" / page):
        if block.kind == "python":
            exec(compile(block.text, str(block), "exec"), names_so_far)


def is_file(block: Block) -> bool:
    """Whether that is a whole file of PHP."""
    return block.text.startswith("<?php")


@pytest.mark.parametrize("block", [block for block in all_blocks("php") if not is_file(block)], ids=str)
def test_php_names_what_the_connector_has(block: Block) -> None:
    assert set(re.findall(r"\bmemberhook_\w+", block.text)) <= set(
        re.findall(r"\bmemberhook_\w+", plugin_file.source().decode())
    )


@pytest.mark.php
@pytest.mark.parametrize("block", all_blocks("php"), ids=str)
def test_php_takes_it(block: Block) -> None:
    code = block.text if is_file(block) else f"<?php\n{block.text}"
    done = subprocess.run(["php", "-l"], input=code, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


# Nothing is left out


@pytest.fixture(scope="module")
def generated() -> dict[str, object]:
    return runpy.run_path(str(ROOT / "scripts" / "make_docs.py"))


def test_pages_made_from_the_code_are_up_to_date(generated: dict[str, object]) -> None:
    made = generated["pages"]()  # type: ignore[operator]  # a function of the script
    assert {path.name for path in made} == {"settings.md", "cli.md"}
    for path, text in made.items():
        assert path.read_text("utf-8") == text, f"{path.name} is out of date: python scripts/make_docs.py"


def test_every_setting_is_on_the_page() -> None:
    page = (ROOT / "docs" / "settings.md").read_text("utf-8")
    assert all(f"`{setting.variable}`" in page and setting.help in page for setting in conf.ALL)


def test_every_command_and_option_is_on_the_page(generated: dict[str, object]) -> None:
    sections = dict(re.findall(r"^## `(.*?)`\n(.*?)(?=^## |\Z)", _cli_page(), re.MULTILINE | re.DOTALL))
    commands = {" ".join(path): command for path, command in generated["commands"]()}  # type: ignore[operator]
    assert set(sections) == set(commands)
    for name, command in commands.items():
        for parameter in command.params:
            if not getattr(parameter, "hidden", False) and parameter.opts[0].startswith("-"):
                assert f"| `{parameter.opts[0]}" in sections[name], f"{name} {parameter.opts[0]}"


def _cli_page() -> str:
    return (ROOT / "docs" / "cli.md").read_text("utf-8")


@pytest.mark.parametrize("family", ["RequestRejected", "TransientError", "PermanentError"])
def test_every_error_code_is_explained(family: str) -> None:
    rows = [row for page in PAGES for row in prose(page).splitlines() if row.startswith("|")]
    codes = raised_codes(family)
    assert codes
    missing = {code: where for code, where in codes.items() if not any(f"`{code}`" in row for row in rows)}
    assert not missing


def test_every_control_parameter_is_explained() -> None:
    page = prose(ROOT / "docs" / "actions.md")
    assert [name for name in CONTROL if f"| `{name}` |" not in page] == []


def test_the_picture_of_the_states_has_every_move_and_no_other() -> None:
    picture = (ROOT / "docs" / "images" / "states.svg").read_text("utf-8")
    drawn = {tuple(move.split()) for move in re.findall(r'data-move="([^"]*)"', picture)}
    assert drawn == {(origin.value, target.value) for origin, targets in MOVES.items() for target in targets}
    assert {name for move in drawn for name in move} == set(re.findall(r'<text class="t"[^>]*>(\w+)<', picture))


# Nothing is made up


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_quotes_are_the_programs_words(page: Path) -> None:
    strings = program_strings()
    for quote in re.findall("“(.*?)”", prose(page), re.DOTALL):
        for part in filter(None, (" ".join(part.split()).strip(" .()") for part in quote.split("…"))):
            assert any(part in text for text in strings), f"the program never says {part!r}"


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_settings_and_files_that_are_named_exist(page: Path) -> None:
    text = page.read_text("utf-8")
    constants = {name for block in all_blocks("php") for name in re.findall(r"^const (\w+)", block.text, re.MULTILINE)}
    known = {setting.variable for setting in conf.ALL} | SETTINGS_OF_TESTS | constants
    assert set(re.findall(r"MEMBERHOOK_[A-Z_]*[A-Z]", text)) <= known
    for name in re.findall(r"`((?:src|tests|docs|scripts|example|benchmarks)/[\w./-]*)`", text):
        assert (ROOT / name).exists(), name


def test_what_the_page_says_is_in_a_file_is_defined_there() -> None:
    rows = re.findall(r"^\| .*\? \| `(.*)` \| `(.*)` \|$", prose(ROOT / "docs" / "how_it_works.md"), re.MULTILINE)
    assert len(rows) >= 10
    missing = [row for row in rows if not re.search(rf"\b(?:def|class) {row[1]}\b", (ROOT / row[0]).read_text("utf-8"))]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=names)
def test_links_lead_somewhere(page: Path) -> None:
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), target
        assert not anchor or anchor in anchors(file), target


def test_pictures_are_shown_and_small() -> None:
    """That they are there is for `test_links_lead_somewhere`."""
    images = ROOT / "docs" / "images"
    shown = {(page.parent / target).resolve() for page in PAGES for target in links(page)}
    assert {path.relative_to(images) for path in images.rglob("*.*") if path not in shown} == set()
    assert {path.name: size for path in images.rglob("*.*") if (size := path.stat().st_size) > LARGEST_PICTURE} == {}


def test_readme_and_docs_know_each_other() -> None:
    assert "docs/start.md" in links(README)
    assert "`README.md`" in prose(ROOT / "docs" / "start.md"), "no link: Sphinx knows nothing outside docs/"
    summaries = re.search(
        r"```\{toctree\}\n.*?\n\n(.*?)```", (ROOT / "docs" / "index.md").read_text("utf-8"), re.DOTALL
    )
    assert summaries
    assert set(summaries[1].split()) == {page.stem for page in PAGES if page != README} - {"index"}
