"""The sandbox as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from sandbox import control
from sandbox.ascend import routes as ascend_routes
from sandbox.calendar_page import render_page
from sandbox.messaging import routes as messaging_routes
from sandbox.nexhealth import api as nexhealth_api
from sandbox.nexhealth.endpoint import Endpoint
from sandbox.nexhealth.page_rows import calendar_rows, queued_write_rows
from sandbox.service import Sandbox


def create_app(database: Path, contracts: Path | None = None) -> Starlette:
    """``contracts`` is a folder with the vendors' OpenAPI documents; without it, calls are not checked against them."""
    sandbox = Sandbox(database, contracts)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with sandbox.nexhealth.running():
            yield

    nexhealth_routes = [
        Route(endpoint.path, partial(_serve_nexhealth, sandbox, endpoint), methods=[endpoint.method])
        for endpoint in nexhealth_api.ENDPOINTS
    ]
    routes = [
        *ascend_routes.routes(sandbox),
        *messaging_routes.routes(sandbox),
        *nexhealth_routes,
        *control.routes(sandbox),
        Route("/", partial(_serve_page, sandbox), methods=["GET"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _serve_nexhealth(sandbox: Sandbox, endpoint: Endpoint, request: Request) -> Response:
    """Answer as NexHealth, and record what the vendor's OpenAPI document does not allow."""
    body = await request.body()

    def handle() -> Response:
        response = nexhealth_api.handle_call(sandbox.nexhealth, endpoint, request, body)
        sandbox.nexhealth_openapi.record_violations(request, body, response)
        return response

    return await sandbox.serve("nexhealth", request, request.url.path, handle)


async def _serve_page(sandbox: Sandbox, request: Request) -> Response:
    ascend_state, office_rows = sandbox.state(), calendar_rows(sandbox.nexhealth)
    all_rows = {**ascend_state, **{kind: ascend_state[kind] + rows for kind, rows in office_rows.items()}}
    text = request.query_params.get("date")
    try:
        day = date.fromisoformat(text) if text else None
        return HTMLResponse(render_page(all_rows, queued_write_rows(sandbox.nexhealth), day))
    except (ValueError, OverflowError):  # the page links to the days before and after
        return PlainTextResponse("date: must be a day such as 2026-12-01", status_code=400)
