"""The hook addresses as an ASGI application: read the request, pass the gate, wait for the outcome, answer."""

from __future__ import annotations

import ipaddress
import logging
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from asgiref.sync import sync_to_async
from django.db import DatabaseError

from memberhook import conf, pipeline
from memberhook.core.errors import MemberhookError, RequestRejected
from memberhook.core.types import Action
from memberhook.engine.runtime import Runtime
from memberhook.intake import answers, query, signatures
from memberhook.intake.answers import Answer
from memberhook.intake.batching import AcceptedEvents, Intake, unavailable
from memberhook.intake.verify import InboundRequest, VerifiedRequest
from memberhook.intake.waiting import Waiting
from memberhook.models.deliveries import Delivery

log = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class HookApp:
    """`tools` are for dry runs only: everything else is a worker's work."""

    def __init__(self, intake: Intake, waiting: Waiting, runtime: Runtime) -> None:
        self.intake = intake
        self.waiting = waiting
        self.runtime = runtime

    async def hook(self, scope: Scope, receive: Receive, send: Send, name: str | None) -> None:
        """A webhook for the hook of that name, or (None) for the one that its key opens."""
        headers = read_headers(scope)
        try:
            answer = await self._answer(await read_inbound(scope, receive, headers, name))
        except RequestRejected as error:
            answer = answers.refused(error)
        await reply(send, answer, headers)

    async def _answer(self, inbound: InboundRequest) -> Answer:
        accepted = await self.intake.submit(inbound)
        if isinstance(accepted, RequestRejected):
            return answers.refused(accepted)
        if isinstance(accepted, AcceptedEvents):
            return answers.accepted(accepted.events, accepted.deliveries)
        request, delivery = accepted.request, accepted.delivery
        if request.action is None:
            return answers.tested()
        if delivery is None:
            return await sync_to_async(preview, thread_sensitive=False)(request, request.action, self.runtime)
        if request.in_background:
            return answers.stored(delivery)
        finished = await self.waiting.outcome(delivery, conf.WAIT())
        return answers.stored(finished or await sync_to_async(look_again, thread_sensitive=False)(delivery))

    async def events(self, scope: Scope, receive: Receive, send: Send, name: str) -> None:
        """A signed request with the contacts of many changes. Programs alone send it, so no page is made of it."""
        try:
            answer = await self._answer(await read_inbound(scope, receive, read_headers(scope), name, signed=True))
        except RequestRejected as error:
            answer = answers.refused(error)
        await reply(send, answer, {})

    async def delivery(self, scope: Scope, send: Send, delivery_id: str) -> None:
        """The outcome of a delivery, for whoever has its address."""
        headers = read_headers(scope)
        try:
            raw_query = scope["query_string"].decode("latin-1")
            answer = await sync_to_async(outcome, thread_sensitive=False)(scope["method"], raw_query, delivery_id)
        except RequestRejected as error:
            answer = answers.refused(error)
        await reply(send, answer, headers)


# What the plain Django views (views.py) share.


def preview(request: VerifiedRequest, action: Action, runtime: Runtime) -> Answer:
    """What a dry run finds."""
    try:
        return answers.previewed(
            action, pipeline.preview(request.hook, request.contact_event, request.intent(action), runtime)
        )
    except MemberhookError as error:
        return answers.previewed(action, error)


def look_again(delivery: Delivery) -> Delivery:
    """Where it stands after waiting: it may have been tried once already."""
    try:
        return Delivery.objects.get(pk=delivery.pk)
    except (DatabaseError, Delivery.DoesNotExist):
        return delivery


def outcome(method: str, raw_query: str, delivery_id: str) -> Answer:
    """The outcome of a delivery as its address tells it. Raises `Refused` (404, 405, 503)."""
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


def method_rejected(allow: str, method: str) -> RequestRejected:
    return RequestRejected(
        f"{method} is not for this address; it takes {allow}.", code="method_not_allowed", status=405, allow=allow
    )


def read_headers(scope: Scope) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


async def read_inbound(
    scope: Scope, receive: Receive, headers: Mapping[str, str], name: str | None, *, signed: bool = False
) -> InboundRequest:
    """Reads a request up to the size limit. Raises `Refused` (400, 405, 413)."""
    method, peer = scope["method"], scope["client"][0] if scope.get("client") else ""
    check_head(method, headers, signed=signed)
    body = await _read_body(receive) if method == "POST" else b""
    raw_query = scope["query_string"].decode("utf-8", "surrogateescape")
    return inbound(method, raw_query, headers, body, name, peer, signed=signed)


def check_head(method: str, headers: Mapping[str, str], *, signed: bool = False) -> None:
    """Refuses what needs no look at the body: methods, a compressed body, one that is announced as too large."""
    allowed = ("POST",) if signed else ("GET", "POST")
    if method not in allowed:
        raise method_rejected(", ".join(allowed), method)
    if method == "GET":
        return
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("", "identity"):
        raise RequestRejected(f"The body is compressed ({encoding[:20]}); send it as it is.", code="wrong_encoding")
    length = headers.get("content-length", "")
    if re.fullmatch(r"[0-9]{1,18}", length) and int(length) > conf.MAX_BODY():
        raise too_large(conf.MAX_BODY())


def inbound(
    method: str,
    raw_query: str,
    headers: Mapping[str, str],
    body: bytes,
    name: str | None,
    peer: str,
    *,
    signed: bool = False,
) -> InboundRequest:
    """`name`: the hook of the path; `peer`: the address of whoever is connected to us."""
    return InboundRequest(
        method=method,
        query=query.read(raw_query),
        hook_name=name,
        key=sent_key(headers),
        content_type=headers.get("content-type", ""),
        user_agent=headers.get("user-agent", ""),
        body=body,
        remote=client_address(peer, headers.get("x-forwarded-for", "")),
        signature=signatures.read(headers) if signed else None,
    )


def sent_key(headers: Mapping[str, str]) -> str | None:
    """`X-Access-Key: KEY` or `Authorization: Bearer KEY`."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return headers.get("x-access-key", "").strip() or (token.strip() if scheme.lower() == "bearer" else "") or None


async def _read_body(receive: Receive) -> bytes:
    limit = conf.MAX_BODY()
    chunks, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RequestRejected("The request ended before its body did.", code="unreadable_body")
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > limit:
            raise too_large(limit)
        if not message.get("more_body"):
            return b"".join(chunks)


def too_large(limit: int) -> RequestRejected:
    return RequestRejected(f"The body is larger than {limit} bytes.", code="too_large", status=413)


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
