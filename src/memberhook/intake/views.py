"""The hook addresses as plain Django views, for projects that do not run ASGI; they answer as endpoint.py does.

They lack group commit: each webhook is a transaction of its own, and waiting for its outcome keeps a thread of the web
server busy.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Sequence
from contextlib import suppress

from django.contrib.auth.decorators import login_not_required
from django.db import DatabaseError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.request import UnreadablePostError
from django.views.decorators.csrf import csrf_exempt

from memberhook import conf
from memberhook.core.errors import RequestRejected
from memberhook.engine import inbox
from memberhook.engine.runtime import Runtime, system_runtime
from memberhook.intake import answers, endpoint
from memberhook.intake.answers import Answer, Rendered
from memberhook.intake.batching import Intake, wake_workers
from memberhook.intake.health_pages import PAGES
from memberhook.intake.inbound import InboundRequest, body_ended_early, check_head, inbound, too_large
from memberhook.intake.rate_limit import RateLimit
from memberhook.models.deliveries import Delivery

QUERY_EVERY = 0.02
"""Seconds between two queries for the outcome."""


@login_not_required
@csrf_exempt
@transaction.non_atomic_requests
def hook(request: HttpRequest, name: str | None = None) -> HttpResponse:
    """A webhook for the hook of that name, or (None) for the one that its key opens.

    Not part of the request's transaction (ATOMIC_REQUESTS): what is answered 2xx is committed before.
    """
    return _respond(request, name)


@login_not_required
@csrf_exempt
@transaction.non_atomic_requests
def events(request: HttpRequest, name: str) -> HttpResponse:
    """Signed events. Only programs send them, so they are never answered with a page."""
    return _respond(request, name, signed=True)


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
        answer = answers.rejected(error)
    return _response(request, answer)


@login_not_required
@transaction.non_atomic_requests
def health_page(request: HttpRequest, page: str) -> HttpResponse:
    """What a load balancer, a monitor or Prometheus asks for."""
    return _http_response(PAGES[page](_runtime().now()))


@functools.cache
def _runtime() -> Runtime:
    return system_runtime()


@functools.cache
def _intake() -> Intake:
    return Intake(_runtime().now, RateLimit(conf.RATE_LIMIT()))


def _respond(request: HttpRequest, name: str | None, *, signed: bool = False) -> HttpResponse:
    method, headers = request.method or "", {key.lower(): value for key, value in request.headers.items()}
    try:
        check_head(method, headers, signed=signed)
        body = _body(request) if method == "POST" else b""
        peer = request.META.get("REMOTE_ADDR", "")
        answer = _answer(inbound(method, request.META["QUERY_STRING"], headers, body, name, peer, signed=signed))
    except RequestRejected as error:
        answer = answers.rejected(error)
    return _response(request, answer, may_be_page=not signed)


def _body(request: HttpRequest) -> bytes:
    """Read as a stream: `request.body` has a limit of its own (DATA_UPLOAD_MAX_MEMORY_SIZE)."""
    limit = conf.MAX_BODY()
    try:
        body: bytes = request.read(limit + 1)
    except UnreadablePostError as error:
        raise body_ended_early() from error
    if len(body) > limit:
        raise too_large(limit)
    announced = request.META.get("CONTENT_LENGTH") or ""
    if announced.isdecimal() and len(body) < int(announced):
        raise body_ended_early()
    return body


def _answer(inbound: InboundRequest) -> Answer:
    [accepted] = _intake().accept_batch([inbound])
    if isinstance(accepted, RequestRejected):
        return answers.rejected(accepted)
    wake_workers([accepted])
    request, deliveries = accepted.request, accepted.deliveries
    if request.dry_run:
        return endpoint.preview(request, _runtime())
    if deliveries and not request.in_background:
        _wait(deliveries)
        deliveries = endpoint.latest(deliveries)
    return answers.accepted(request, deliveries)


def _wait(deliveries: Sequence[Delivery]) -> None:
    """Until all have finished, for at most MEMBERHOOK_WAIT."""
    until = time.monotonic() + conf.WAIT()
    while time.monotonic() < until:
        time.sleep(QUERY_EVERY)
        with suppress(DatabaseError):  # the next query may succeed
            if len(inbox.finished([delivery.pk for delivery in deliveries])) == len(deliveries):
                return


def _response(request: HttpRequest, answer: Answer, *, may_be_page: bool = True) -> HttpResponse:
    as_page = may_be_page and answers.wants_page(request.headers.get("Accept", ""))
    return _http_response(answer.render(as_page=as_page))


def _http_response(rendered: Rendered) -> HttpResponse:
    return HttpResponse(rendered.body, status=rendered.status, headers=rendered.headers)
