"""The simulated FluentCRM as tests, demo and benchmarks drive it: its contacts, users and automations.

Webhooks are built under the lock, so they show the contact as it was when tagged, and sent after the lock is released:
foreground webhooks within the call that applied the tag, background webhooks by threads of their own.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Literal

from memberhook.core.errors import UsageError
from memberhook.testing.fluentcrm import rows
from memberhook.testing.fluentcrm.outgoing import Answer, OutgoingRequest, Sender, build
from memberhook.testing.fluentcrm.records import (
    COLUMNS,
    FULL_RIGHTS,
    Automation,
    Contact,
    Field,
    Format,
    Kind,
    Note,
    Segment,
    User,
)
from memberhook.testing.fluentcrm.store import Store

Fault = Literal[
    "outage",  # the web server's 503
    "maintenance",  # WordPress's own 503, with a Retry-After of 600 (measured)
    "error500",  # WordPress's critical error (recorded)
    "rate_limited",  # 429
    "challenge",  # a firewall's page with 403
    "challenge_200",  # the same with 200
    "plugin_inactive",  # a WordPress without FluentCRM
    "plain_permalinks",  # /wp-json is the web server's 404 page; the API is at ?rest_route=
    "plain_permalinks_home",  # /wp-json is WordPress's home page (measured); the API is at ?rest_route=
    "closed",  # the connection is closed without a response
]

_DEFAULT_SITE = "http://crm.example"
_MAILABLE = ("subscribed", "transactional")
_SENDERS = 8


class SimulatedFluentCRM:
    """A FluentCRM with its Pro add-on, in memory. Safe to share between threads.

    `clock` returns the site's local time (its time zone is ignored). `site_url` appears in photos and the user agent;
    `Running` sets it unless it is given. `send` sends webhooks. `fault`: what every request runs into; `latency`:
    seconds before every response.
    """

    def __init__(
        self,
        clock: Callable[[], datetime],
        *,
        site_url: str | None = None,
        send: Callable[[OutgoingRequest], Answer] | None = None,
    ) -> None:
        self.fault: Fault | None = None
        self.latency = 0.0
        self.notes: list[Note] = []
        self.site_url = site_url or _DEFAULT_SITE
        self._site_url_given = site_url is not None
        self.automations: list[Automation] = []
        self.store = Store(lambda: clock().strftime("%Y-%m-%d %H:%M:%S"), self._tagged)
        self._users: dict[str, User] = {}
        self._send = send or Sender()
        self._executor = ThreadPoolExecutor(max_workers=_SENDERS, thread_name_prefix="fluentcrm-webhook")
        self._lock = threading.RLock()
        self._depth = 0
        self._due: list[tuple[Automation, int, OutgoingRequest]] = []
        self._under_way: set[Future[None]] = set()

    @contextmanager
    def change(self) -> Iterator[Store]:
        """Exclusive access to the store. The webhooks that it causes are sent when the outermost change ends."""
        due: list[tuple[Automation, int, OutgoingRequest]] = []
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
            for automation, contact_id, request in due:
                if automation.background:
                    self._in_background(contact_id, request)
                else:
                    self._deliver(contact_id, request)

    def serve_at(self, url: str) -> None:
        """The URL that `Running` serves."""
        if not self._site_url_given:
            self.site_url = url

    def add_tag(self, title: str, slug: str | None = None, description: str | None = "") -> int:
        """Return the new tag's id."""
        with self.change() as store:
            return store.add_segment("tags", title, slug, description).id

    def add_list(self, title: str, slug: str | None = None) -> int:
        with self.change() as store:
            return store.add_segment("lists", title, slug, "").id

    def add_field(self, slug: str, type: str, label: str, options: Iterable[str] = ()) -> None:
        with self.change() as store:
            store.fields[slug] = Field(slug, type, label, tuple(options))

    def add_user(self, username: str, password: str, rights: Iterable[str] = FULL_RIGHTS) -> None:
        """`rights`: FluentCRM's permissions."""
        with self.change():
            self._users[username.lower()] = User(username, password.replace(" ", ""), frozenset(rights))

    def user(self, username: str, password: str) -> User | None:
        """Usernames in any case, application passwords with or without spaces."""
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
        """Return the new contact's id. `columns`: any other column, id and dates too. Its tags start automations."""
        _check(columns)
        with self.change() as store:
            tag_ids = [self._segment("tags", tag).id for tag in tags]
            list_ids = [self._segment("lists", item).id for item in lists]
            names = {"email": email, "first_name": first_name, "last_name": last_name}
            contact = store.add_contact(names | columns)
            store.set_custom(contact, custom_values or {}, delete_empty=True)
            store.attach(contact, "lists", list_ids)
            store.attach(contact, "tags", tag_ids)
            return contact.id

    def update_contact(self, contact_id: int, custom_values: Mapping[str, Any] | None = None, **columns: Any) -> None:
        """Changes what is given; a custom value of "" is deleted."""
        _check(columns)
        with self.change() as store:
            contact = self._contact(contact_id)
            store.fill(contact, columns)
            store.set_custom(contact, custom_values or {}, delete_empty=True)

    def delete_contact(self, contact_id: int) -> None:
        with self.change() as store:
            store.delete(self._contact(contact_id))

    def apply_tag(self, contact_id: int, tag: int | str) -> None:
        """`tag`: id, slug or title. Starts the tag's automations, unless the contact already has the tag."""
        with self.change() as store:
            store.attach(self._contact(contact_id), "tags", [self._segment("tags", tag).id])

    def remove_tag(self, contact_id: int, tag: int | str) -> None:
        with self.change():
            self._contact(contact_id).tags.pop(self._segment("tags", tag).id, None)

    def add_automation(self, tag: int | str, url: str, format: Format = "json", background: bool = True) -> None:
        with self.change():
            self.automations.append(Automation(self._segment("tags", tag).id, url, format, background))

    def contact(self, contact_id: int) -> dict[str, Any]:
        """The contact as its API route shows it: columns, `custom_values`, `tags` and `lists`."""
        with self.change() as store:
            contact = self._contact(contact_id)
            extra = {"custom_values": rows.custom_values(contact, store.fields)}
            return rows.contact_row(contact, self.site_url, extra) | {
                "tags": rows.segment_rows(contact, "tags", store.tags),
                "lists": rows.segment_rows(contact, "lists", store.lists),
            }

    def find(self, email: str) -> int | None:
        """The id of the contact with this e-mail address, in any case."""
        with self.change() as store:
            contact = store.by_email(email)
            return None if contact is None else contact.id

    def wait_until_sent(self, timeout: float) -> bool:
        """Whether all background webhooks were sent within `timeout` seconds."""
        with self._lock:
            under_way = set(self._under_way)
        return not wait(under_way, timeout).not_done

    def close(self) -> None:
        """Wait for webhooks under way, then end threads and connections."""
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
        if contact.columns["status"] not in _MAILABLE:
            return
        for automation in self.automations:
            if automation.tag in tags:
                data = rows.webhook_data(contact, self.site_url, self.store.fields)
                request = build(automation, data, f"WordPress/7.1; {self.site_url}")
                self._due.append((automation, contact.id, request))

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
        with self._lock:
            self.notes.append(Note(contact_id, request.url.partition("?")[0], answer.status, answer.text))


def _check(columns: Mapping[str, Any]) -> None:
    unknown = sorted(set(columns) - set(COLUMNS))
    if unknown:
        raise UsageError(f"FluentCRM's contacts have no column {', '.join(unknown)}.")
