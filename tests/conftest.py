"""What all tests share: a clock that stands still, a hook with its connection, a client that finds its contacts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from memberhook import pipeline
from memberhook.core.check_result import CheckResult
from memberhook.core.errors import PermanentError
from memberhook.core.types import Contact
from memberhook.crms.contract import (
    Catalog,
    ContactEvent,
    ContactPage,
    ContactRef,
    CrmError,
    FieldWrite,
    Skipped,
    WebhookRequest,
)
from memberhook.crms.registry import crm
from memberhook.engine import inbox
from memberhook.engine.runtime import Runtime
from memberhook.engine.wakeup import message_queue
from memberhook.models.connections import Connection, Hook, Site
from memberhook.models.deliveries import Delivery, Origin
from memberhook.services.hooks import DEFAULT_MAP
from memberhook.sites.local.setup import add_role

pytest_plugins = ["pytester", "tests.servers", "tests.sites.contract"]

Send = Callable[..., Delivery]

START = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)


@dataclass
class Clock:
    moment: datetime = START

    def __call__(self) -> datetime:
        return self.moment

    def pass_(self, **time: float) -> None:
        self.moment += timedelta(**time)


@dataclass
class FakeCrm:
    """A CRM client in memory. `broken` is raised by every call; `gone` ids can't be found."""

    people: dict[str, Contact] = field(default_factory=dict)
    broken: CrmError | None = None
    loads: list[tuple[ContactRef, ...]] = field(default_factory=list)
    written: list[FieldWrite] = field(default_factory=list)

    def add(self, *contacts: Contact) -> None:
        self.people.update({contact.id or "": contact for contact in contacts})

    def _answer(self, ref: ContactRef) -> Contact | CrmError:
        for contact in self.people.values():
            if contact.id == ref.id or (ref.email and contact.email.lower() == ref.email.lower()):
                return contact
        return PermanentError("The contact is not in the CRM any more.", code="contact_gone")

    def load(self, refs: Sequence[ContactRef]) -> Mapping[ContactRef, Contact | CrmError]:
        self.loads.append(tuple(refs))
        if self.broken:
            raise self.broken
        return {ref: self._answer(ref) for ref in refs}

    def write_fields(self, writes: Sequence[FieldWrite]) -> Mapping[str, CrmError | None]:
        if self.broken:
            raise self.broken
        self.written += writes
        return {write.contact_id: None for write in writes}

    def check(self) -> list[CheckResult]:
        return []

    def catalog(self) -> Catalog:
        return Catalog()

    def contacts(self, tag: object = None) -> Iterator[ContactPage]:
        yield ContactPage(tuple(self.people.values()), len(self.people))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if {"db", "transactional_db"} & set(getattr(item, "fixturenames", ())) or item.get_closest_marker("django_db"):
            item.add_marker("database")


@pytest.fixture(scope="session", autouse=True)
def _close_the_queue() -> Iterator[None]:
    """Huey keeps its connection open."""
    yield
    if message_queue.cache_info().currsize:
        message_queue().storage.close()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def runtime(clock: Clock) -> Runtime:
    def no_network(_: bool) -> object:
        raise AssertionError("a unit test calls the network")

    numbers = iter(range(1000))
    return Runtime(
        now=clock,
        jitter=lambda: 0.5,
        http=no_network,  # type: ignore[arg-type]
        password=lambda: f"generated-password-{next(numbers)}",
    )


@pytest.fixture
def fake_crm(monkeypatch: pytest.MonkeyPatch) -> FakeCrm:
    """Every connection's client is this one."""
    fake = FakeCrm()
    for module in ("memberhook.engine.loading", "memberhook.engine.followups"):
        monkeypatch.setattr(f"{module}.crm_client", lambda connection, http: fake)
    return fake


@pytest.fixture
def make_hook(db: None) -> Callable[..., Hook]:
    """A hook of the connection `shop` to the local site that may grant `customer`, with these options over it."""

    def make(**options: object) -> Hook:
        connection, _ = Connection.objects.get_or_create(
            name="shop", defaults={"kind": "fluentcrm", "url": "https://shop.example", "username": "memberhook"}
        )
        add_role("customer", "Customer")
        values = {
            "name": f"hook-{Hook.objects.count() + 1}",
            "connection": connection,
            "site": Site.objects.get(name="local"),
            "allowed_roles": ["customer"],
        }
        rows = {"field_map": USUAL_MAP, "tag_roles": ()} | {n: options.pop(n) for n in ROWS & set(options)}
        hook = Hook.objects.create(**(values | options))
        set_rows(hook, **rows)
        return hook

    return make


USUAL_MAP = [{"site": s, "crm": c} for s, c in DEFAULT_MAP.items()]
ROWS = {"field_map", "tag_roles"}


def set_rows(hook: Hook, **rows: Sequence[Mapping[str, Any]]) -> None:
    """Replaces the hook's `field_map` (entries with `site`, `crm`, perhaps `type` and `clears`) or its `tag_roles`."""
    if "field_map" in rows:
        hook.mapped_fields.all().delete()
        for row in rows["field_map"]:
            columns = {"site_field": row["site"], "crm_field": row["crm"], "type": row.get("type", "")}
            hook.mapped_fields.create(**columns, clears=row.get("clears", False))
    if "tag_roles" in rows:
        hook.tag_rules.all().delete()
        for row in rows["tag_roles"]:
            hook.tag_rules.create(tag=row["tag"], role=row["role"])


def stored_map(hook: Hook) -> list[tuple[str, str, str, bool]]:
    return list(hook.mapped_fields.values_list("site_field", "crm_field", "type", "clears"))


@pytest.fixture
def hook(make_hook: Callable[..., Hook]) -> Hook:
    return make_hook()


@pytest.fixture
def send(hook: Hook, clock: Clock) -> Send:
    def send(
        action: str = "add",
        contact: str | None = "1",
        hook: Hook = hook,
        body: bytes | None = None,
        origin: Origin = Origin.WEBHOOK,
        **values: Any,
    ) -> Delivery:
        to = Hook.objects.get(pk=hook.pk)
        request = WebhookRequest("POST", "", "application/json", body=body or b'{"id": %s}' % (contact or "").encode())
        event = crm("fluentcrm").read(request)[0] if origin is Origin.WEBHOOK else ContactEvent(ContactRef(contact))
        assert not isinstance(event, Skipped)
        stored = {"method": "POST", "body": request.body, "content_type": request.content_type}
        delivery = inbox.new_delivery(
            to, action, event, clock(), origin, **((stored if origin is Origin.WEBHOOK else {}) | values)
        )
        inbox.append([delivery])
        return delivery

    return send


@pytest.fixture
def work(clock: Clock, runtime: Runtime) -> Callable[[], int]:
    """Does all that is due, as a worker would; how many batches."""

    def work() -> int:
        batches = 0
        for hook_id in inbox.waiting_hooks(clock()):
            while batch := inbox.claim(hook_id, "w1", clock(), contacts=100, lease=timedelta(seconds=30)):
                pipeline.process(batch, runtime)
                batches += 1
        return batches

    return work


def ended(delivery: Delivery) -> Delivery:
    delivery.refresh_from_db()
    return delivery
