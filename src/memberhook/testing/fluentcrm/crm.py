"""The simulated FluentCRM: its contacts, its users and its automations, as tests, demo and benchmarks drive it.

Its one decision: webhooks are built under the lock, so they show the contact as it was, and sent after the lock is
let go: in the foreground within the call that applied the tag, in the background by a thread of their own.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from memberhook.core.errors import UsageError
from memberhook.testing.fluentcrm import rows
from memberhook.testing.fluentcrm.faults import Faults
from memberhook.testing.fluentcrm.outgoing import Answer, OutgoingRequest, Sender, build
from memberhook.testing.fluentcrm.records import (
    COLUMNS,
    STATUSES,
    Automation,
    Body,
    Contact,
    Field,
    Format,
    Kind,
    Note,
    Rights,
    Segment,
    Step,
    User,
    rights_named,
)
from memberhook.testing.fluentcrm.store import Store
from memberhook.testing.fluentcrm.wordpress import is_email

_DEFAULT_SITE = "http://crm.example"
_MAILABLE = ("subscribed", "transactional")


class SimulatedFluentCRM(Faults):
    """A FluentCRM with its Pro add-on, in memory. Safe to use from many threads.

    `clock` tells the site's local time (its time zone is not looked at); `seed` makes invented slugs repeatable.
    `site_url` stands in photos, links and the user agent; without it, `Running` sets the address it serves.
    `send` sends webhooks; `senders` is how many background webhooks are under way at once.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        seed: int = 0,
        *,
        site_url: str | None = None,
        send: Callable[[OutgoingRequest], Answer] | None = None,
        senders: int = 8,
    ) -> None:
        super().__init__()
        self.notes: list[Note] = []
        self.site_url = site_url or _DEFAULT_SITE
        self._site_url_given = site_url is not None
        self.automations: list[Automation] = []
        self.store = Store(
            lambda: clock().strftime("%Y-%m-%d %H:%M:%S"),
            random.Random(seed),  # noqa: S311 - invented slugs, nothing secret
            self._tagged,
        )
        self._users: dict[str, User] = {}
        self._send = send or Sender()
        self._executor = ThreadPoolExecutor(max_workers=senders, thread_name_prefix="fluentcrm-webhook")
        self._lock = threading.RLock()
        self._depth = 0
        self._due: list[tuple[Step, int, OutgoingRequest]] = []
        self._under_way: set[Future[None]] = set()

    @contextmanager
    def change(self) -> Iterator[Store]:
        """The store, held alone. When the outermost change is over, the webhooks that it caused are sent."""
        due: list[tuple[Step, int, OutgoingRequest]] = []
        try:
            with self._lock:
                self._depth += 1
                try:
                    yield self.store
                finally:
                    self._depth -= 1
                    if self._depth == 0:
                        due, self._due = self._due, due
        finally:
            for step, contact_id, request in due:
                if step.background:
                    self._in_background(contact_id, request)
                else:
                    self._deliver(contact_id, request)

    def serve_at(self, url: str) -> None:
        """The address that `Running` serves; it stands for the site's unless one was given."""
        if not self._site_url_given:
            self.site_url = url

    def add_tag(self, title: str, slug: str | None = None, description: str | None = "") -> int:
        """The new tag's id. Raises UsageError when the slug is taken."""
        with self.change() as store:
            return store.add_segment("tags", title, slug, description).id

    def add_list(self, title: str, slug: str | None = None, description: str | None = "") -> int:
        with self.change() as store:
            return store.add_segment("lists", title, slug, description).id

    def rename_tag(self, tag: int | str, title: str, slug: str | None = None) -> None:
        """`slug` None keeps the slug, as FluentCRM's own form does not."""
        with self.change() as store:
            found = self._segment("tags", tag)
            found.title, found.slug, found.updated_at = title, slug or found.slug, store.now()

    def add_field(self, slug: str, type: str, label: str, options: Iterable[str] = ()) -> None:
        with self.change() as store:
            store.fields[slug] = Field(slug, type, label, tuple(options))

    def add_user(self, username: str, password: str, rights: Rights = "full") -> None:
        """`rights`: full, read-only, none, or FluentCRM's permissions by name."""
        with self.change():
            self._users[username.lower()] = User(username, password.replace(" ", ""), rights_named(rights))

    def user(self, username: str, password: str) -> User | None:
        """Who this is: names in any case, application passwords with or without their spaces."""
        with self._lock:
            user = self._users.get(username.lower())
        return user if user is not None and user.password == password.replace(" ", "") else None

    def add_contact(
        self,
        email: str,
        first_name: str | None = None,
        last_name: str | None = None,
        custom_values: Mapping[str, Any] | None = None,
        tags: Iterable[int | str] = (),
        lists: Iterable[int | str] = (),
        **columns: Any,
    ) -> int:
        """The new contact's id. `columns`: any other column, `id` and dates too. Its tags start their automations."""
        _check(email=email, **columns)
        with self.change() as store:
            wanted = [self._segment("tags", tag).id for tag in tags]
            summaries = [self._segment("lists", ref).id for ref in lists]
            names = {"email": email, "first_name": first_name, "last_name": last_name}
            contact = store.add_contact(names | columns)
            store.set_custom(contact, custom_values or {}, delete_empty=True)
            store.attach(contact, "lists", summaries)
            store.attach(contact, "tags", wanted)
            return contact.id

    def update_contact(self, contact_id: int, custom_values: Mapping[str, Any] | None = None, **columns: Any) -> None:
        """Changes what is given and leaves the rest; a custom value of "" is deleted."""
        _check(**columns)
        with self.change() as store:
            contact = self._contact(contact_id)
            store.fill(contact, columns)
            store.set_custom(contact, custom_values or {}, delete_empty=True)

    def delete_contact(self, contact_id: int) -> None:
        with self.change() as store:
            store.delete(self._contact(contact_id))

    def apply_tag(self, contact_id: int, tag: int | str) -> None:
        """`tag`: its id, slug or title. Starts the tag's automations, unless the contact has the tag already."""
        with self.change() as store:
            store.attach(self._contact(contact_id), "tags", [self._segment("tags", tag).id])

    def remove_tag(self, contact_id: int, tag: int | str) -> None:
        with self.change() as store:
            store.detach(self._contact(contact_id), "tags", [self._segment("tags", tag).id])

    def add_automation(
        self,
        tag: int | str,
        url: str,
        format: Format = "json",
        body: Body = "raw",
        custom: Iterable[tuple[str, str]] = (),
        headers: Iterable[tuple[str, str]] = (),
        background: bool = True,
        with_tags: bool = False,
    ) -> int:
        """The new automation's id. It runs whenever `tag` is applied to a contact that may be written to.

        `custom` and `headers`: name → text with merge codes like `{{contact.id}}`.
        """
        step = Step(url, format, body, tuple(custom), tuple(headers), background, with_tags)
        with self.change():
            automation = Automation(len(self.automations) + 1, self._segment("tags", tag).id, step)
            self.automations.append(automation)
            return automation.id

    def contact(self, contact_id: int) -> dict[str, Any]:
        """The contact as its own API call shows it: columns, `custom_values`, `tags` and `lists`."""
        with self.change() as store:
            contact = self._contact(contact_id)
            extra = {"custom_values": rows.custom_values(contact, store.fields)}
            return rows.contact_row(contact, self.site_url, extra) | {
                "tags": rows.segment_rows(contact, "tags", store.tags),
                "lists": rows.segment_rows(contact, "lists", store.lists),
            }

    def find(self, email: str) -> int | None:
        """The id of the contact with this e-mail, in any case."""
        with self.change() as store:
            contact = store.by_email(email)
            return None if contact is None else contact.id

    def wait_until_sent(self, timeout: float | None = None) -> bool:
        """True once no background webhook is under way; False when `timeout` seconds were not enough."""
        with self._lock:
            under_way = set(self._under_way)
        return not wait(under_way, timeout).not_done

    def close(self) -> None:
        """Waits for the webhooks that are under way and lets threads and connections go."""
        self._executor.shutdown(wait=True)
        if isinstance(self._send, Sender):
            self._send.close()

    def _contact(self, contact_id: int) -> Contact:
        contact = self.store.contacts.get(contact_id)
        if contact is None:
            raise UsageError(f"The simulated CRM has no contact {contact_id}.", code="unknown")
        return contact

    def _segment(self, kind: Kind, ref: int | str) -> Segment:
        segment = self.store.find_segment(kind, ref)
        if segment is None:
            raise UsageError(f"The simulated CRM has no {ref!r} among its {kind}.", code="unknown")
        return segment

    def _tagged(self, contact: Contact, tags: list[int]) -> None:
        if contact.status not in _MAILABLE:
            return
        for automation in self.automations:
            if automation.tag in tags:
                step = automation.step
                data = rows.webhook_data(contact, self.site_url, self.store.fields)
                if step.with_tags:
                    data["tags"] = rows.webhook_tags(contact, self.store.tags)
                request = build(step, data, f"WordPress/7.1; {self.site_url}", self.store.fields)
                self._due.append((step, contact.id, request))

    def _in_background(self, contact_id: int, request: OutgoingRequest) -> None:
        future = self._executor.submit(self._deliver, contact_id, request)
        with self._lock:
            self._under_way.add(future)
        future.add_done_callback(self._done)

    def _done(self, future: Future[None]) -> None:
        with self._lock:
            self._under_way.discard(future)

    def _deliver(self, contact_id: int, request: OutgoingRequest) -> None:
        answer = self._send(request)
        url = request.url.partition("?")[0]
        with self._lock:
            self.notes.append(Note(contact_id, url, answer.status, answer.text, answer.seconds))


def _check(**columns: Any) -> None:
    unknown = sorted(set(columns) - set(COLUMNS))
    if unknown:
        raise UsageError(f"FluentCRM's contacts have no column {', '.join(unknown)}.")
    if columns.get("status", "subscribed") not in STATUSES:
        raise UsageError(f"FluentCRM knows no status {columns['status']!r}.")
    if "email" in columns and not is_email(columns["email"]):
        raise UsageError(f"{columns['email']!r} is no e-mail address.")
