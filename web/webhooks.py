"""Deliveries from outside: proven, read, answered at once."""

from collections.abc import Sequence

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from adapters.errors import OutsideError
from adapters.nexhealth import WEBHOOK_PATH
from adapters.nexhealth.webhooks import UnreadableDelivery, has_valid_signature, parse_events
from runtime.ops import body_of
from web.news import NewsDesk

log = structlog.get_logger("webhooks")

MOST_BYTES = 1024 * 1024
"""Longer than any delivery."""


def webhooks_app(desk: NewsDesk, secrets: Sequence[str]) -> Starlette:
    """``secrets``: any of them may have signed, so that one can replace another."""

    async def live(_: Request) -> JSONResponse:
        return JSONResponse({"live": True})

    async def nexhealth(request: Request) -> JSONResponse:
        raw = await body_of(request, MOST_BYTES)
        if raw is None:
            return JSONResponse({"error": "too large"}, status_code=413)
        timestamp, signature = request.headers.get("timestamp", ""), request.headers.get("signature", "")
        if not has_valid_signature(raw, timestamp, signature, secrets):
            log.warning("a delivery without a valid signature", client=request.client.host if request.client else "")
            return JSONResponse({"error": "signature"}, status_code=401)
        try:
            for event in parse_events(raw):
                await desk.pass_on(event)
        except UnreadableDelivery:
            # Asking for it again changes nothing, and who refuses for two days is told nothing any more.
            log.error("a delivery of NexHealth's cannot be read: a defect of ours", bytes=len(raw))
        except OutsideError as trouble:
            log.warning("a delivery must come again", cause=type(trouble).__name__)
            return JSONResponse({"error": "try again later"}, status_code=503)
        return JSONResponse({})

    return Starlette(routes=[Route("/live", live), Route(WEBHOOK_PATH, nexhealth, methods=["POST"])])
