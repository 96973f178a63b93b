"""A WordPress site: members made and tag updates per second, by the connector and without it.

    python -m benchmarks.wordpress [--wordpress FOLDER] [--members 400] [--rounds 3] [--svg FILE]

Three ways into the same WordPress (one of its own, by `scripts/wordpress`), by turns in each round:
- connector: Memberhook's own code (find, plan, apply) in batches of the size that the worker takes;
- core REST: the same data with WordPress's own REST API, one request for each member. Core cannot write tags: it
  writes a list of ids as registered user meta;
- boot: GET /wp/v2/users/me, asked once for each member. It changes nothing: no plugin that starts WordPress for each
  webhook can be faster than that.

The ways that ask once for each member do so for a quarter of the members. A ratio is the median of the rounds' ratios.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from statistics import median

import click

import memberhook
from benchmarks import bars
from memberhook import conf
from memberhook.core import mapping
from memberhook.core.errors import MemberhookError
from memberhook.core.http_client import HttpClient
from memberhook.core.plan import PlanInput, plan_batch
from memberhook.core.types import Action, Contact, FieldMapping, HookOptions, Intent, Plan, SiteSnapshot, Tag
from memberhook.core.usernames import candidates
from memberhook.sites.contract import MemberQuery, SiteContext
from memberhook.sites.wordpress.connector import USERNAME_RULES, ConnectorSite
from memberhook.sites.wordpress.rest.rest_client import RestClient
from memberhook.testing.fluentcrm.people import Person, people
from tests.wordpress.runner import NotInstalledError, WordPress, running

CONNECTOR = Path(memberhook.__file__).parent / "sites/wordpress/plugin/memberhook-connector"
CORE_META = Path(__file__).parent / "benchmark-meta.php"
PHP_WORKERS = 4
PARALLEL = (1, 2)
"""Batches, or requests, at a time: one, and as many as the worker has threads (`MEMBERHOOK_WORKERS`)."""

MAP = tuple(FieldMapping(name, name) for name in ("first_name", "last_name", "city"))
OPTIONS = HookOptions(field_map=MAP)
COURSE, NEWS = Tag("7", "course", "Course"), Tag("8", "news", "News")

MAKING, TAGGING = "members made", "tag updates"
BY_CONNECTOR, BY_CORE, BY_BOOT = "connector", "core REST", "boot"

Key = tuple[str, str, int]
"""What is done, in which way, how many at a time."""


@dataclass
class Site:
    """The site, and the ways into it."""

    wordpress: WordPress
    http: HttpClient

    def rest(self) -> RestClient:
        site = self.wordpress
        return RestClient(site.url, site.admin_user, site.application_password, self.http)

    def connector(self, contacts: Sequence[Contact], action: Action) -> int:
        """One batch, as the worker handles it."""
        site = ConnectorSite(SiteContext("site", connection="shop"), self.rest())
        plans = [_with_password(plan) for plan in _plans(site, contacts, action)]
        site.upsert_tags({tag.id: tag for contact in contacts for tag in contact.tags or ()}.values())
        applied = site.apply(plans)
        wrong = [one for one in applied if not one.done or not one.changes or one.warnings]
        if wrong:
            raise click.ClickException(f"The connector did not do what it should: {wrong[0]}")
        return len(applied)

    def core(self, path: str, body: dict[str, object]) -> str:
        """The id of the user that was made or changed."""
        response = self.rest().request("POST", f"/wp/v2/users{path}", params=[("_fields", "id")], json=body)
        if response.status not in (200, 201):
            raise click.ClickException(f"Core REST answered {response.status}: {response.body.decode()}")
        return response.body.decode().split(":")[1].strip("}")

    def boot(self) -> int:
        response = self.rest().request("GET", "/wp/v2/users/me", params=[("_fields", "id")])
        if response.status != 200:
            raise click.ClickException(f"WordPress answered {response.status}: {response.body.decode()}")
        return 1


def _plans(site: ConnectorSite, contacts: Sequence[Contact], action: Action) -> list[Plan]:
    """As `planning.make_plans` makes them for a hook that knows no links yet."""
    found = site.find(
        MemberQuery(
            contact_ids=[contact.id for contact in contacts if contact.id],
            emails=[contact.email for contact in contacts],
            usernames=[first_username(contact) for contact in contacts],
            fields=[mapped.site_field for mapped in MAP],
        )
    )
    snapshot = SiteSnapshot(site.roles(), site.username_rules, found.emails, found.taken_usernames, site.normalize)
    members = [found.members.get(found.contacts.get(contact.id or "", "")) for contact in contacts]
    items = [
        PlanInput(Intent(action), contact, mapping.read(contact, OPTIONS), member)
        for contact, member in zip(contacts, members, strict=True)
    ]
    return plan_batch(items, OPTIONS, snapshot, lambda password: password)


def _with_password(plan: Plan) -> Plan:
    if not plan.generate_password:
        return plan
    return replace(plan, changes=replace(plan.changes, password=secrets.token_urlsafe(18)))


def contact_of(number: int, person: Person, *tags: Tag) -> Contact:
    fields = {"first_name": person.first_name, "last_name": person.last_name, "city": person.city}
    return Contact(str(number), person.email, fields, tags)


def first_username(contact: Contact) -> str:
    return next(candidates(mapping.read(contact, OPTIONS), OPTIONS.username_format, USERNAME_RULES))


def core_user(contact: Contact) -> dict[str, object]:
    """What the connector writes, as core REST takes it."""
    first, last = contact.fields["first_name"], contact.fields["last_name"]
    meta = {"benchmark_city": contact.fields["city"], "benchmark_contact": contact.id}
    return {
        "username": first_username(contact),
        "email": contact.email,
        "first_name": first,
        "last_name": last,
        "name": f"{first} {last}".strip(),
        "password": secrets.token_urlsafe(18),
        "roles": ["subscriber"],
        "meta": {**meta, "benchmark_tags": [tag.id for tag in contact.tags or ()]},
    }


def per_second(jobs: Sequence[Callable[[], int]], parallel: int) -> float:
    """Members a second; a job tells how many it was."""
    with ThreadPoolExecutor(parallel) as pool:
        start = time.perf_counter()
        done: int = sum(pool.map(lambda job: job(), jobs))
        seconds = time.perf_counter() - start
    return done / seconds


class Benchmark:
    def __init__(self, site: Site, members: int) -> None:
        self.site = site
        self.members = members
        self.singles = max(members // 4, 1)
        self._people = enumerate(people(seed=1), start=1)

    def round(self, parallel: int) -> Iterator[tuple[Key, float]]:
        members = [contact_of(*each, COURSE) for each in islice(self._people, self.members)]
        singles = [contact_of(*each, COURSE) for each in islice(self._people, self.singles)]
        ids: list[str] = []

        def make(contact: Contact) -> int:
            ids.append(self.site.core("", core_user(contact)))
            return 1

        def tag(user_id: str) -> int:
            self.site.core(f"/{user_id}", {"meta": {"benchmark_tags": [COURSE.id, NEWS.id]}})
            return 1

        yield (MAKING, BY_CONNECTOR, parallel), self._batches(members, Action.ADD, parallel)
        yield (MAKING, BY_CORE, parallel), per_second([_call(make, contact) for contact in singles], parallel)
        yield (MAKING, BY_BOOT, parallel), per_second([self.site.boot] * self.singles, parallel)
        tagged = [replace(contact, tags=(COURSE, NEWS)) for contact in members]
        yield (TAGGING, BY_CONNECTOR, parallel), self._batches(tagged, Action.UPDATE_TAGS, parallel)
        yield (TAGGING, BY_CORE, parallel), per_second([_call(tag, user_id) for user_id in ids], parallel)
        yield (TAGGING, BY_BOOT, parallel), per_second([self.site.boot] * self.singles, parallel)

    def _batches(self, contacts: Sequence[Contact], action: Action, parallel: int) -> float:
        size = conf.BATCH()
        batches = [contacts[start : start + size] for start in range(0, len(contacts), size)]
        return per_second([_call(self.site.connector, batch, action) for batch in batches], parallel)

    def warm_up(self) -> None:
        """So that each of PHP's processes has compiled everything once."""
        small = Benchmark(self.site, PHP_WORKERS)
        small._people = self._people
        for _ in range(2):
            for _ in small.round(PHP_WORKERS):
                per_second([self.site.boot] * PHP_WORKERS, PHP_WORKERS)


def _call(job: Callable[..., int], *arguments: object) -> Callable[[], int]:
    return lambda: job(*arguments)


def measure(benchmark: Benchmark, rounds: int) -> dict[Key, list[float]]:
    """Members a second, for each round."""
    figures: dict[Key, list[float]] = {}
    with click.progressbar(length=rounds * len(PARALLEL) * 6, label="Measuring") as bar:
        for _ in range(rounds):
            for parallel in PARALLEL:
                for key, figure in benchmark.round(parallel):
                    figures.setdefault(key, []).append(figure)
                    bar.update(1)
    return figures


def ratio(figures: dict[Key, list[float]], what: str, than: str, parallel: int) -> float:
    pairs = zip(figures[what, BY_CONNECTOR, parallel], figures[what, than, parallel], strict=True)
    return median(connector / other for connector, other in pairs)


def surroundings(site: WordPress) -> str:
    code = "global $wpdb; echo PHP_VERSION, ' ', ini_get('opcache.enable_cli') ? 'with' : 'without', "
    php, opcache, database = site.php(f"{code} ' ', $wpdb->db_server_info();").split(" ")
    return (
        f"WordPress {site.version}; PHP {php} {opcache} opcache, its own web server (php -S) with {PHP_WORKERS} "
        f"processes; {database}, durable; {os.cpu_count()} processors"
    )


def load() -> str:
    return f"{os.getloadavg()[0]:.1f}"


@click.command()
@click.option("--wordpress", type=click.Path(path_type=Path), help="An unpacked WordPress.  [default: Debian's]")
@click.option("--members", type=click.IntRange(min=1), default=400, show_default=True)
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--svg", type=click.Path(path_type=Path, dir_okay=False), help="Draw the figures to this file.")
def main(wordpress: Path | None, members: int, rounds: int, svg: Path | None) -> None:
    """Measure the connector beside WordPress's own REST API, and beside a mere start of WordPress."""
    http = HttpClient(allow_private=True)
    production = {"durable": True, "no_debug": True, "ini": {"opcache.revalidate_freq": 2}}
    options = {"plugin": [CONNECTOR], "mu_plugin": [CORE_META], "workers": PHP_WORKERS, "wordpress": wordpress}
    try:
        with running(**options, **production) as running_site:
            benchmark = Benchmark(Site(running_site, http), members)
            benchmark.warm_up()
            before, about = load(), surroundings(running_site)
            figures = measure(benchmark, rounds)
    except (NotInstalledError, MemberhookError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{about}.")
    click.echo(
        f"Medians of {rounds} rounds (lowest to highest): {members} members in batches of {conf.BATCH()}, "
        f"{benchmark.singles} one by one; the machine's load was {before} before and is {load()} now.\n"
    )
    for (what, transport, parallel), each in figures.items():
        name = f"{what}/s, {transport}, {parallel} at a time"
        click.echo(f"{name:<42}{median(each):>10,.1f}  ({min(each):,.1f} to {max(each):,.1f})")
    for what in (MAKING, TAGGING):
        for than in (BY_CORE, BY_BOOT):
            for parallel in PARALLEL:
                name = f"{what}, connector : {than}, {parallel} at a time"
                click.echo(f"{name:<52}{ratio(figures, what, than, parallel):>8.1f}")
    if svg:
        svg.write_text(drawing(figures, about))


def drawing(figures: dict[Key, list[float]], about: str) -> str:
    """The figures with as much at a time as the worker has."""
    most = max(PARALLEL)
    shown = [
        (what, transport, median(figures[what, transport, most]))
        for what, transport, parallel in figures
        if parallel == most
    ]
    title = f"{MAKING.capitalize()} and {TAGGING} per second in one WordPress site, {most} at a time"
    return bars.svg(title, about, shown)


if __name__ == "__main__":
    main()
