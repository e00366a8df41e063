"""The HTTP endpoint of webhooks: verify the signature, read the events, route them, answer."""

from collections.abc import Sequence

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from adapters.errors import OutsideError
from adapters.nexhealth import WEBHOOK_PATH
from adapters.nexhealth.webhooks import UnreadableDelivery, has_valid_signature, parse_events
from runtime.ops import read_body
from web.webhooks.router import EventRouter

log = structlog.get_logger("webhooks")

MAX_BODY_BYTES = 1024 * 1024
"""Longer than any delivery of NexHealth."""


def webhooks_app(router: EventRouter, secrets: Sequence[str]) -> Starlette:
    """``secrets``: a delivery may be signed with any of them, so that one can replace another."""

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"live": True})

    async def receive_nexhealth(request: Request) -> JSONResponse:
        raw = await read_body(request, MAX_BODY_BYTES)
        if raw is None:
            return JSONResponse({"error": "too large"}, status_code=413)
        timestamp, signature = request.headers.get("timestamp", ""), request.headers.get("signature", "")
        if not has_valid_signature(raw, timestamp, signature, secrets):
            log.warning("webhook_signature_invalid", client=request.client.host if request.client else "")
            return JSONResponse({"error": "signature"}, status_code=401)
        try:
            for event in parse_events(raw):
                await router.route(event)
        except UnreadableDelivery:
            # Answer 200 all the same. Another delivery would be as unreadable, and NexHealth switches off an
            # endpoint that refuses deliveries for two days. This is a bug of ours, so it is logged as an error.
            log.error("webhook_unreadable", bytes=len(raw))
        except OutsideError as error:
            log.warning("webhook_needs_redelivery", cause=type(error).__name__)
            return JSONResponse({"error": "try again later"}, status_code=503)
        return JSONResponse({})

    return Starlette(routes=[Route("/live", live), Route(WEBHOOK_PATH, receive_nexhealth, methods=["POST"])])
