"""The HTTP endpoint of webhooks: verify the signature, read the events, route them, answer."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.errors import OutsideError
from adapters.nexhealth import WEBHOOK_PATH
from adapters.nexhealth.webhooks import UnreadableDelivery, has_valid_signature, is_recent, parse_events
from runtime.http_server import http_app, problem, read_body
from web.webhooks.router import EventRouter

log = structlog.get_logger("webhooks")

MAX_BODY_BYTES = 1024 * 1024
"""Longer than any delivery of NexHealth."""


def _system_time() -> datetime:
    return datetime.now(UTC)


def webhooks_app(router: EventRouter, secrets: Sequence[str], now: Callable[[], datetime] = _system_time) -> Starlette:
    """``secrets``: a delivery may be signed with any of them, so that one can replace another."""

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"live": True})

    async def receive_nexhealth(request: Request) -> Response:
        raw = await read_body(request, MAX_BODY_BYTES)
        if raw is None:
            return problem(413, f"The body is too large. At most {MAX_BODY_BYTES // 1024} KiB are allowed.")
        timestamp, signature = request.headers.get("timestamp", ""), request.headers.get("signature", "")
        if not has_valid_signature(raw, timestamp, signature, secrets):
            log.warning("webhook_signature_invalid", client=request.client.host if request.client else "")
            return problem(401, "The signature is not valid for this body and timestamp.")
        if not is_recent(timestamp, now()):
            log.warning("webhook_too_old", timestamp=timestamp)
            return problem(401, "The signed timestamp is too old or in the future.")
        try:
            for event in parse_events(raw):
                await router.route(event)
        except UnreadableDelivery:
            # Answer 200 all the same. Another delivery would be as unreadable, and NexHealth switches off an
            # endpoint that refuses deliveries for two days. This is a bug of ours, so it is logged as an error.
            log.error("webhook_unreadable", bytes=len(raw))
        except OutsideError as error:
            log.warning("webhook_needs_redelivery", cause=type(error).__name__)
            return problem(503, "The event cannot be passed on now. Deliver it again later.")
        return JSONResponse({})

    return http_app([Route("/live", live), Route(WEBHOOK_PATH, receive_nexhealth, methods=["POST"])])
