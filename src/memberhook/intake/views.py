"""The hook addresses as plain Django views, for projects that do not run ASGI. The contract is that of endpoint.py.

What they lack is group commit: each webhook is a transaction of its own, and waiting for its outcome keeps a thread of
the web server busy.
"""

from __future__ import annotations

import functools
import time

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from memberhook import conf
from memberhook.core.errors import RequestRejected
from memberhook.engine import inbox, wakeup
from memberhook.engine.runtime import Runtime, system_runtime
from memberhook.intake import answers, endpoint
from memberhook.intake.answers import Answer
from memberhook.intake.batching import AcceptedEvents, Intake, stored_by
from memberhook.intake.health_pages import PAGES
from memberhook.intake.rate_limit import RateLimit
from memberhook.intake.verify import InboundRequest
from memberhook.models.deliveries import Delivery

LOOK_EVERY = 0.02
"""Seconds between two looks whether the outcome is there."""


@login_not_required
@csrf_exempt
@transaction.non_atomic_requests
def hook(request: HttpRequest, name: str | None = None) -> HttpResponse:
    """A webhook for the hook of that name, or (None) for the one that its key opens.

    Not part of the request's transaction (ATOMIC_REQUESTS): what is answered 2xx is committed before.
    """
    try:
        answer = _answer(_inbound(request, name))
    except RequestRejected as error:
        answer = answers.refused(error)
    return _response(request, answer)


@login_not_required
@csrf_exempt
@transaction.non_atomic_requests
def events(request: HttpRequest, name: str) -> HttpResponse:
    """A signed request with the contacts of many changes."""
    try:
        answer = _answer(_inbound(request, name, signed=True))
    except RequestRejected as error:
        answer = answers.refused(error)
    status, headers, body = answer.render(as_page=False)
    return HttpResponse(body, status=status, headers=headers)


def is_webhook(method: str, raw_query: bytes) -> bool:
    """Whether a request to a page's address is a webhook: anything but a bare look at the page."""
    return method not in ("GET", "HEAD") or b"wpf_action" in raw_query or b"access_key" in raw_query


@login_not_required
@csrf_exempt
def delivery(request: HttpRequest, pk: str) -> HttpResponse:
    """The outcome of a delivery, for whoever has its address."""
    try:
        answer = endpoint.outcome(request.method or "", request.META["QUERY_STRING"], pk)
    except RequestRejected as error:
        answer = answers.refused(error)
    return _response(request, answer)


@login_not_required
@transaction.non_atomic_requests
def health_page(request: HttpRequest, page: str) -> HttpResponse:
    """What a load balancer, a monitor or Prometheus asks for."""
    status, kind, body = PAGES[page](_runtime().now())
    return HttpResponse(body, status=status, content_type=kind, headers={"Cache-Control": "no-store"})


@functools.cache
def _runtime() -> Runtime:
    return system_runtime()


@functools.cache
def _intake() -> Intake:
    return Intake(_runtime().now, RateLimit(conf.RATE_LIMIT()))


def _inbound(request: HttpRequest, name: str | None, *, signed: bool = False) -> InboundRequest:
    method, headers = request.method or "", {key.lower(): value for key, value in request.headers.items()}
    endpoint.check_head(method, headers, signed=signed)
    body = _body(request) if method == "POST" else b""
    peer = request.META.get("REMOTE_ADDR", "")
    return endpoint.inbound(method, request.META["QUERY_STRING"], headers, body, name, peer, signed=signed)


def _body(request: HttpRequest) -> bytes:
    """Read as a stream: `request.body` has a limit of its own (DATA_UPLOAD_MAX_MEMORY_SIZE)."""
    limit = conf.MAX_BODY()
    try:
        body: bytes = request.read(limit + 1)
    except UnreadablePostError as error:
        raise RequestRejected("The request ended before its body did.", code="unreadable_body") from error
    if len(body) > limit:
        raise endpoint.too_large(limit)
    announced = request.META.get("CONTENT_LENGTH") or ""
    if announced.isdecimal() and len(body) < int(announced):
        raise RequestRejected("The request ended before its body did.", code="unreadable_body")
    return body


def _answer(inbound: InboundRequest) -> Answer:
    accepted = _intake().accept_batch([inbound])[0]
    if isinstance(accepted, RequestRejected):
        return answers.refused(accepted)
    wakeup.notify_workers({delivery.hook_id for delivery in stored_by(accepted)})
    if isinstance(accepted, AcceptedEvents):
        return answers.accepted(accepted.events, accepted.deliveries)
    request = accepted.request
    if request.action is None:
        return answers.tested()
    if accepted.delivery is None:
        return endpoint.preview(request, request.action, _runtime())
    if request.in_background:
        return answers.stored(accepted.delivery)
    return answers.stored(_finished(accepted.delivery) or endpoint.look_again(accepted.delivery))


def _finished(delivery: Delivery) -> Delivery | None:
    """The delivery when it has ended, or None when it has not within MEMBERHOOK_WAIT."""
    until = time.monotonic() + conf.WAIT()
    while time.monotonic() < until:
        time.sleep(LOOK_EVERY)
        try:
            if found := inbox.finished([delivery.pk]):
                return found[0]
        except DatabaseError:
            continue  # the next look may do better
    return None


def _response(request: HttpRequest, answer: Answer) -> HttpResponse:
    status, headers, body = answer.render(as_page=answers.wants_page(request.headers.get("Accept", "")))
    return HttpResponse(body, status=status, headers=headers)
