"""The status page over HTTP: check the link, ask the booking, answer. A GET changes nothing."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.errors import OutsideError
from adapters.ledger import Link, Links
from client import BookingClient, NoAnswer, NoSuchBooking
from domain.practice import Practice, UnknownName
from domain.signed_link import TOKEN_LENGTH, LinkPurpose, read_link, token_hash
from domain.wording.languages import LANGUAGES
from runtime.http_server import http_app
from web.status.page import STYLE_HASH, write_busy_page, write_invalid_link_page, write_status_page

log = structlog.get_logger("status")

MAX_QUERY_TIME = timedelta(seconds=4)
"""A patient waits at most this long before the page says that it cannot look now."""
RETRY_AFTER_SECONDS = 60
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": f"default-src 'none'; style-src '{STYLE_HASH}'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the URL is the key to the page
    "Strict-Transport-Security": "max-age=31536000",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}


class StatusPages:
    def __init__(self, links: Links, secrets: Sequence[bytes], bookings: BookingClient, practice: Practice) -> None:
        """``secrets``: a link may be signed with any of them, so that one can replace another."""
        self._links = links
        self._secrets = secrets
        self._bookings = bookings
        self._practice = practice

    async def show(self, request: Request) -> Response:
        language = _language(request)
        try:
            link = await self._find_link(request.path_params["token"])
            language = _language(request, link)
            page = await self._write_page(link, language) if link else None
        except (NoAnswer, OutsideError) as error:
            log.warning("status_not_available", cause=type(error).__name__)
            page = write_busy_page(self._practice, language)
            return HTMLResponse(page, status_code=503, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})
        if page is None:
            return HTMLResponse(write_invalid_link_page(self._practice, language), status_code=404)
        return HTMLResponse(page)

    async def _find_link(self, token: str) -> Link | None:
        """``None`` for every link that shows nothing. A token that we did not sign costs no reading."""
        if len(token) != TOKEN_LENGTH or not read_link(LinkPurpose.STATUS, token, self._secrets, datetime.now(UTC)):
            return None
        return await self._links.find(token_hash(token))

    async def _write_page(self, link: Link, language: str) -> str | None:
        """``None`` if the booking is gone: Temporal forgets it some days after it has ended. Raises NoAnswer."""
        try:
            booking = await self._bookings.ask(link.booking, MAX_QUERY_TIME, language)
            return write_status_page(booking, self._practice.location(booking.location), language)
        except (NoSuchBooking, UnknownName):
            return None


def status_app(pages: StatusPages) -> ASGIApp:
    """Serves ``/{token}``. Every answer, errors too, has the same protective headers."""
    return _ProtectiveHeaders(http_app([Route("/{token}", pages.show, methods=["GET"])]))


class _ProtectiveHeaders:
    """Adds ``HEADERS`` to every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await self._app(scope, receive, send_with_headers)


def _language(request: Request, link: Link | None = None) -> str:
    """As chosen on the page; else as in the message; else as the browser prefers; else English."""
    preferences = request.headers.get("accept-language", "").split(",")
    accepted = [preference.strip()[:2].lower() for preference in preferences]
    wanted = [request.query_params.get("lang", ""), link.language if link else "", *accepted]
    return next((code for code in wanted if code in LANGUAGES), "en")
