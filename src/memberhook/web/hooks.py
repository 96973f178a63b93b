"""The hook addresses as an ASGI application: read the request, pass the gate, wait for the outcome, answer."""

from __future__ import annotations

import ipaddress
import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError

from memberhook import conf, pipeline
from memberhook.errors import MemberhookError, Refused
from memberhook.inbox.models import Delivery
from memberhook.receive import query
from memberhook.receive.verify import Arrival
from memberhook.web import answers
from memberhook.web.answers import Answer
from memberhook.web.gate import Gate, unavailable
from memberhook.web.waiting import Waiting

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class HookApp:
    """`tools` are for dry runs only: everything else is a worker's work."""

    def __init__(self, gate: Gate, waiting: Waiting, tools: pipeline.Tools) -> None:
        self.gate = gate
        self.waiting = waiting
        self.tools = tools

    async def hook(self, scope: Scope, receive: Receive, send: Send, name: str | None) -> None:
        """A webhook for the hook of that name, or (None) for the one that its key opens."""
        headers = read_headers(scope)
        try:
            answer = await self._answer(await read_arrival(scope, receive, headers, name))
        except Refused as error:
            answer = answers.refused(error)
        await reply(send, answer, headers)

    async def _answer(self, arrival: Arrival) -> Answer:
        entered = await self.gate.enter(arrival)
        if isinstance(entered, Refused):
            return answers.refused(entered)
        request, delivery = entered.request, entered.delivery
        if request.action is None:
            return answers.tested()
        if delivery is None:
            return await sync_to_async(self._preview, thread_sensitive=False)(request)
        if request.in_background:
            return answers.stored(delivery)
        finished = await self.waiting.outcome(delivery, conf.WAIT())
        return answers.stored(finished or await sync_to_async(_look_again, thread_sensitive=False)(delivery))

    def _preview(self, request: Any) -> Answer:
        try:
            return answers.previewed(request.action, pipeline.preview(request, self.tools))
        except MemberhookError as error:
            return answers.previewed(request.action, error)

    async def delivery(self, scope: Scope, send: Send, delivery_id: str) -> None:
        """The outcome of a delivery, for whoever has its address."""
        headers = read_headers(scope)
        try:
            answer = await sync_to_async(_outcome, thread_sensitive=False)(scope, delivery_id)
        except Refused as error:
            answer = answers.refused(error)
        await reply(send, answer, headers)


def _look_again(delivery: Delivery) -> Delivery:
    """Where it stands after waiting: it may have been tried once already."""
    try:
        return Delivery.objects.get(pk=delivery.pk)
    except (DatabaseError, Delivery.DoesNotExist):
        return delivery


def _outcome(scope: Scope, delivery_id: str) -> Answer:
    if scope["method"] not in ("GET", "HEAD"):
        raise method_refused("GET", scope["method"])
    raw = scope["query_string"].decode("latin-1")
    token = next((part.removeprefix("token=") for part in raw.split("&") if part.startswith("token=")), "")
    if not delivery_id.isascii() or not delivery_id.isdigit() or not answers.is_token(int(delivery_id), token):
        raise Refused("There is no delivery at this address.", code="not_found", status=404)
    try:
        delivery = Delivery.objects.filter(pk=int(delivery_id)).first()
    except DatabaseError as error:
        raise unavailable() from error
    if delivery is None:
        raise Refused("This delivery is older than deliveries are kept.", code="not_found", status=404)
    return answers.stored(delivery, first_answer=False)


def method_refused(allow: str, method: str) -> Refused:
    return Refused(
        f"{method} is not for this address; it takes {allow}.", code="method_not_allowed", status=405, allow=allow
    )


def read_headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def read_arrival(scope: Scope, receive: Receive, headers: Mapping[str, str], name: str | None) -> Arrival:
    """Reads a request up to the size limit. Raises `Refused` (405, 413)."""
    if scope["method"] not in ("GET", "POST"):
        raise method_refused("GET, POST", scope["method"])
    return Arrival(
        method=scope["method"],
        query=query.read(scope["query_string"].decode("latin-1")),
        hook_name=name,
        key=sent_key(headers),
        content_type=headers.get("content-type", ""),
        user_agent=headers.get("user-agent", ""),
        body=await _read_body(receive, headers) if scope["method"] == "POST" else b"",
        remote=client_address(scope["client"][0] if scope.get("client") else "", headers.get("x-forwarded-for", "")),
    )


def sent_key(headers: Mapping[str, str]) -> str | None:
    """`X-Access-Key: KEY` or `Authorization: Bearer KEY`."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return headers.get("x-access-key", "").strip() or (token.strip() if scheme.lower() == "bearer" else "") or None


async def _read_body(receive: Receive, headers: Mapping[str, str]) -> bytes:
    limit = conf.MAX_BODY()
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise Refused(f"The body is compressed ({encoding[:20]}); send it as it is.", code="wrong_encoding")
    length = headers.get("content-length", "")
    if length.isdigit() and int(length) > limit:
        raise too_large(limit)
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused("The request ended before its body did.", code="unreadable_body")
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise too_large(limit)
        if not message.get("more_body"):
            return b"".join(chunks)


def too_large(limit: int) -> Refused:
    return Refused(f"The body is larger than {limit} bytes.", code="too_large", status=413)


def client_address(peer: str, forwarded_for: str) -> str:
    """The client's address: the peer's, or what trusted proxies say stood before them."""
    trusted = conf.TRUSTED_PROXIES()
    hops = [peer, *reversed([hop.strip() for hop in forwarded_for.split(",") if hop.strip()])]
    for hop in hops[:-1]:
        try:
            address = ipaddress.ip_address(hop)
        except ValueError:
            return peer
        if not any(address in network for network in trusted):
            return hop
    return hops[-1][:45]


async def reply(send: Send, answer: Answer, headers: Mapping[str, str]) -> None:
    as_page = answers.wants_page(headers.get("accept", ""))
    render = sync_to_async(answer.render, thread_sensitive=False) if as_page else None
    status, out, body = await render(as_page=True) if render else answer.render(as_page=False)
    raw = [(name.encode(), value.encode("latin-1")) for name, value in out.items()]
    raw.append((b"Content-Length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": body})
