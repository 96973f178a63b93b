"""The hook addresses as an ASGI application: read the request, have it stored, wait for the outcome, answer."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError

from memberhook import conf, pipeline
from memberhook.core.errors import MemberhookError, RequestRejected
from memberhook.engine.runtime import Runtime
from memberhook.intake import answers
from memberhook.intake.answers import Answer, Rendered
from memberhook.intake.batching import Intake, unavailable
from memberhook.intake.inbound import InboundRequest, body_ended_early, check_head, inbound, method_rejected, too_large
from memberhook.intake.verify import Event, VerifiedRequest
from memberhook.intake.waiting import Waiting
from memberhook.models.deliveries import Delivery

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class HookApp:
    """`runtime` is for dry runs only: everything else is a worker's job."""

    def __init__(self, intake: Intake, waiting: Waiting, runtime: Runtime) -> None:
        self.intake = intake
        self.waiting = waiting
        self.runtime = runtime

    async def hook(self, scope: Scope, receive: Receive, send: Send, name: str | None, *, signed: bool = False) -> None:
        """A webhook for the hook of that name, or (None) for the one that its key opens.

        `signed`: signed events, which only programs send, so they are never answered with a page.
        """
        headers = read_headers(scope)
        try:
            answer = await self._answer(await read_inbound(scope, receive, headers, name, signed=signed))
        except RequestRejected as error:
            answer = answers.rejected(error)
        await reply(send, answer, {} if signed else headers)

    async def _answer(self, inbound: InboundRequest) -> Answer:
        accepted = await self.intake.submit(inbound)
        if isinstance(accepted, RequestRejected):
            return answers.rejected(accepted)
        request, deliveries = accepted.request, accepted.deliveries
        if request.dry_run:
            return await sync_to_async(preview, thread_sensitive=False)(request, self.runtime)
        if not request.in_background:
            finished = await self.waiting.finished(deliveries, conf.WAIT())
            if len(finished) < len(deliveries):
                deliveries = await sync_to_async(latest, thread_sensitive=False)(deliveries)
            else:
                deliveries = finished
        return answers.accepted(request, deliveries)

    async def delivery(self, scope: Scope, send: Send, delivery_id: str) -> None:
        """The outcome of a delivery, for whoever has its address."""
        headers = read_headers(scope)
        try:
            raw_query = scope["query_string"].decode("latin-1")
            answer = await sync_to_async(outcome, thread_sensitive=False)(scope["method"], raw_query, delivery_id)
        except RequestRejected as error:
            answer = answers.rejected(error)
        await reply(send, answer, headers)


# Shared with the plain Django views (views.py)


def preview(request: VerifiedRequest, runtime: Runtime) -> Answer:
    """What a dry run finds."""
    if request.is_test:
        return answers.accepted(request, ())
    return answers.of_events([_preview(request, event, runtime) for event in request.events], request.skipped)


def _preview(request: VerifiedRequest, event: Event, runtime: Runtime) -> Answer:
    try:
        result = pipeline.preview(request.hook, event.contact, request.intent(event), runtime)
    except MemberhookError as error:
        return answers.previewed(event.action, error)
    return answers.previewed(event.action, result)


def latest(deliveries: Sequence[Delivery]) -> list[Delivery]:
    """The deliveries as they are now: some may have finished, others been tried once."""
    try:
        now = Delivery.objects.in_bulk([delivery.pk for delivery in deliveries])
    except DatabaseError:
        now = {}
    return [now.get(delivery.pk, delivery) for delivery in deliveries]


def outcome(method: str, raw_query: str, delivery_id: str) -> Answer:
    """The answer at the address of a delivery. Raises `RequestRejected` (404, 405, 503)."""
    if method not in ("GET", "HEAD"):
        raise method_rejected("GET", method)
    token = next((part.removeprefix("token=") for part in raw_query.split("&") if part.startswith("token=")), "")
    is_id = re.fullmatch(r"[0-9]{1,18}", delivery_id)
    if not is_id or not answers.is_token(int(delivery_id), token):
        raise RequestRejected("There is no delivery at this address.", code="not_found", status=404)
    try:
        delivery = Delivery.objects.filter(pk=int(delivery_id)).first()
    except DatabaseError as error:
        raise unavailable() from error
    if delivery is None:
        raise RequestRejected("This delivery is older than deliveries are kept.", code="not_found", status=404)
    return answers.stored(delivery, first_answer=False)


# ASGI


def read_headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def read_inbound(
    scope: Scope, receive: Receive, headers: Mapping[str, str], name: str | None, *, signed: bool = False
) -> InboundRequest:
    """Read a request up to the size limit. Raises `RequestRejected` (400, 405, 413)."""
    method, peer = scope["method"], scope["client"][0] if scope.get("client") else ""
    check_head(method, headers, signed=signed)
    body = await _read_body(receive) if method == "POST" else b""
    raw_query = scope["query_string"].decode("utf-8", "surrogateescape")
    return inbound(method, raw_query, headers, body, name, peer, signed=signed)


async def _read_body(receive: Receive) -> bytes:
    limit = conf.MAX_BODY()
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise body_ended_early()
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise too_large(limit)
        if not message.get("more_body"):
            return b"".join(chunks)


async def reply(send: Send, answer: Answer, headers: Mapping[str, str]) -> None:
    if answers.wants_page(headers.get("accept", "")):
        rendered = await sync_to_async(answer.render, thread_sensitive=False)(as_page=True)
    else:
        rendered = answer.render(as_page=False)
    await send_rendered(send, rendered)


async def send_rendered(send: Send, rendered: Rendered) -> None:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in rendered.headers.items()]
    raw.append((b"Content-Length", str(len(rendered.body)).encode()))
    await send({"type": "http.response.start", "status": rendered.status, "headers": raw})
    await send({"type": "http.response.body", "body": rendered.body})
