"""A vendor's error may quote what was sent. Nothing of that goes into our own errors, which are logged and stored."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapters.ascend import AscendConfig, AscendSystem
from adapters.errors import OutsideError
from adapters.nexhealth import NexHealthConfig, NexHealthSystem
from adapters.practice_system import NewChart, PracticeSystem
from devstack import free_port
from domain.patient import Address
from domain.request import Person
from runtime.http_server import serve
from tests.support.practice_systems import unlimited_permit

CHART = NewChart(
    person=Person(
        first_name="Canarybird",
        last_name="Secretson",
        date_of_birth=date(1991, 4, 2),
        email="canary@patients.example",
        mobile="+15105550121",
    ),
    location="1",
    address=Address(line1="1 Secret St", city="Oakland", state="CA", postal_code="94601"),
    language="en",
    provider="2",
)
TEXT = "Canarybird Secretson, born 1991-04-02, of 1 Secret St cannot be saved"
BODIES: list[Any] = [
    {"statusCode": 400, "errors": [{"code": "bad_name", "title": TEXT, "description": TEXT, "source": TEXT}]},
    {"statusCode": 400, "errors": [{"code": TEXT, "description": TEXT}]},
    [{"code": TEXT, "description": TEXT}],
    {"fault": {"faultstring": TEXT, "detail": {"errorcode": TEXT}}},
    {"code": False, "description": TEXT, "error": [TEXT], "data": None},
    {"code": False, "error": ["Patient already exists - id=7 " + TEXT]},
    TEXT,
]
"""In the shapes of both vendors' errors. Error codes are no place for a person, but a vendor may do it."""


@asynccontextmanager
async def quoting_vendor(body: Any, status: int) -> AsyncIterator[str]:
    """A server that gives tokens and answers every other call with an error that quotes a person."""

    async def answer(request: Request) -> Response:
        if request.url.path.endswith(("/accesstoken", "/authenticates")):
            return JSONResponse({"access_token": "t", "code": True, "data": {"token": "t"}})
        return JSONResponse(body, status_code=status)

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "POST", "PUT", "PATCH", "DELETE"])])
    port = free_port(0)
    async with serve(app, f"127.0.0.1:{port}", "the test"):
        yield f"http://127.0.0.1:{port}"


def systems_at(url: str) -> list[PracticeSystem]:
    return [
        AscendSystem(AscendConfig(base_url=url, client_id="id", client_secret="secret", organization_id="3")),
        NexHealthSystem(
            NexHealthConfig(base_url=url, api_key="key", subdomain="demo", system="dentrix", locations=("1",))
        ),
    ]


@pytest.mark.parametrize("status", [400, 404, 500])
@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_error_that_quotes_a_person_is_passed_on_without_the_person(body: Any, status: int) -> None:
    async with quoting_vendor(body, status) as url:
        for system in systems_at(url):
            with pytest.raises(OutsideError) as error:
                await system.create_patient(CHART, unlimited_permit)
            await system.close()
            shown = f"{error.value} {error.value!r} {vars(error.value)}".casefold()
            assert [word for word in ("canary", "secret st", "secretson", "1991") if word in shown] == []
