"""The sandbox as an ASGI application."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from sandbox import ascend_api, control, messaging_api
from sandbox.nexhealth import api as nexhealth
from sandbox.nexhealth.calls import Endpoint
from sandbox.nexhealth.picture import calendar, waiting
from sandbox.page import page
from sandbox.service import Sandbox


def create_app(database: Path, contracts: Path | None = None) -> Starlette:
    box = Sandbox(database, contracts)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with box.nexhealth.running():
            yield

    routes = [
        *ascend_api.routes(box),
        *messaging_api.routes(box),
        *(Route(each.path, partial(_partner, box, each), methods=[each.method]) for each in nexhealth.ENDPOINTS),
        *control.routes(box),
        Route("/", partial(_shown, box), methods=["GET"]),
    ]
    return Starlette(routes=routes, lifespan=lifespan)


async def _partner(box: Sandbox, endpoint: Endpoint, request: Request) -> Response:
    """NexHealth's answer, held against the vendor's document."""
    body = await request.body()

    def work() -> Response:
        response = nexhealth.answer(box.nexhealth, endpoint, request, body)
        box.document.compare(request, body, response)
        return response

    return await box.serve("nexhealth", request, request.url.path, work)


async def _shown(box: Sandbox, request: Request) -> Response:
    state, offices = box.state(), calendar(box.nexhealth)
    both = {**state, **{kind: state[kind] + rows for kind, rows in offices.items()}}
    return HTMLResponse(page(both, waiting(box.nexhealth), request.query_params.get("date")))
