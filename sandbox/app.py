"""The sandbox as an ASGI application."""

import asyncio
import base64
import hmac
import json
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sandbox import seed
from sandbox.ascend import Answer, Ascend, fault, problem
from sandbox.contracts import Contracts
from sandbox.desk import act
from sandbox.faults import Call, Fault, Faults
from sandbox.messaging import listed_texts, send_email, send_text, sendgrid_problem, twilio_problem
from sandbox.nexhealth import api as nexhealth
from sandbox.nexhealth.calls import Endpoint
from sandbox.nexhealth.control import act as act_at_office
from sandbox.nexhealth.control import set_clock, set_office, set_switches
from sandbox.nexhealth.document import Document
from sandbox.nexhealth.picture import calendar, waiting
from sandbox.nexhealth.service import NexHealth
from sandbox.page import page
from sandbox.store import Row, Store, now_text

API = "/ascend-gateway/api"
KINDS = ("locations", "operatories", "providers", "patients", "appointments", "events", "emails", "texts")


class CutOff(Response):
    """Ends the connection in the middle of an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"5000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"data": ', "more_body": True})
        raise ConnectionResetError("cut off on purpose")


REMEMBERED_CALLS = 20_000


class Sandbox:
    def __init__(self, database: Path, contracts: Path | None) -> None:
        self.store = Store(database)
        self._contracts = Contracts(contracts)
        if self.store.empty:
            seed.seed(self.store)
        self.ascend = Ascend(self.store, seed.ORGANIZATION, seed.CLIENT)
        self.faults = Faults()
        self.nexhealth = NexHealth(database, self.faults)
        self.document = Document(contracts)
        self.calls: dict[str, Counter[str]] = {
            system: Counter() for system in ("ascend", "nexhealth", "sendgrid", "twilio")
        }
        self.called: dict[str, deque[float]] = {system: deque(maxlen=REMEMBERED_CALLS) for system in self.calls}
        """When, in seconds since 1970; the latest ones."""
        self._late: set[asyncio.Task[None]] = set()

    async def serve(self, system: str, request: Request, path: str, work: Callable[[], Response]) -> Response:
        """One vendor call, with whatever trouble is due."""
        body = await request.body()
        self.calls[system][f"{request.method} {_shape(path)}"] += 1
        self.called[system].append(time.time())
        call = Call(system, request.method, path, request.headers.get("host", ""), body)
        trouble = self.faults.due(call)
        arrived = now_text()

        def allowed() -> Response:
            self._contracts.check(system, request.method, path, dict(request.headers), body)
            self.ascend.asked = arrived
            return work()

        if trouble is None:
            return _answered(allowed)
        return await self._troubled(trouble, call, allowed)

    async def _troubled(self, trouble: Fault, call: Call, work: Callable[[], Response]) -> Response:
        kind = trouble.kind
        if kind == "late_commit":
            task = asyncio.create_task(self._later(trouble.seconds, work))
            self._late.add(task)
            task.add_done_callback(self._late.discard)
            return CutOff()
        if kind in ("hang_before", "slow"):
            await asyncio.sleep(trouble.seconds)
        if kind in ("hang_before", "drop_before"):
            return CutOff()
        if kind == "hold_before" and not await self.faults.hold(trouble, call):
            return CutOff()
        if kind == "expire_tokens":
            (self.nexhealth.entry if trouble.system == "nexhealth" else self.ascend).tokens.clear()
        shape = (nexhealth.TROUBLE if trouble.system == "nexhealth" else {}).get(kind)
        early = _EARLY.get(kind)
        if early is not None:
            return (shape or early)(trouble)
        answer = _answered(work)
        if kind == "webhook_first":
            await self.nexhealth.settle()
        if kind == "hang_after":
            await asyncio.sleep(trouble.seconds)
        if kind == "hold_after" and not await self.faults.hold(trouble, call):
            return CutOff()
        after = _AFTER.get(kind)
        return (shape or after)(trouble) if after is not None else answer

    async def _later(self, seconds: float, work: Callable[[], Response]) -> None:
        await asyncio.sleep(seconds)
        _answered(work)

    def state(self) -> Row:
        rows = {kind: self.store.all(kind) for kind in KINDS}
        return {
            "organization": self.store.all("organization")[0],
            **rows,
            "templates": self.store.all("scheduletemplates"),
            "calls": {system: dict(counts) for system, counts in self.calls.items()},
            "called": {system: list(times) for system, times in self.called.items()},
            "faults": self.faults.listed(),
            "hits": self.faults.hits,
            "log": self.store.log(),
            "settings": vars(self.ascend.switches),
            "nexhealth": {**self.nexhealth.state(), "violations": self.document.violations},
        }


def _answered(work: Callable[[], Response]) -> Response:
    try:
        return work()
    except Answer as answer:
        return JSONResponse(answer.body, status_code=answer.status)
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        return JSONResponse(problem(400, "invalid_body", str(wrong)[:60]).body, status_code=400)


_EARLY: dict[str, Callable[[Fault], Response]] = {
    "status_before": lambda f: JSONResponse(problem(f.status, "unavailable").body, status_code=f.status),
    "rate_limited": lambda f: JSONResponse(
        fault("Rate limit", "policies.ratelimit"), status_code=429, headers={"Retry-After": str(f.retry_after)}
    ),
    "expire_tokens": lambda f: JSONResponse(
        fault("Invalid Access Token", "oauth.v2.InvalidAccessToken"), status_code=401
    ),
    "forbidden": lambda f: JSONResponse(problem(403, "forbidden").body, status_code=403),
    "array_error": lambda f: JSONResponse([{"code": "odd"}], status_code=f.status),
    "text_error": lambda f: HTMLResponse("<html>gateway</html>", status_code=f.status),
    "code_false": lambda f: JSONResponse(nexhealth.NOT_DONE),
    "fault_error": lambda f: JSONResponse(fault("Gateway", "messaging.adaptors.http"), status_code=f.status),
}
_AFTER: dict[str, Callable[[Fault], Response]] = {
    "status_after": lambda f: JSONResponse(problem(f.status, "server_error").body, status_code=f.status),
    "drop_after": lambda f: CutOff(),
    "garbage": lambda f: PlainTextResponse("not json {"),
}


def _shape(path: str) -> str:
    return "/".join("{id}" if part.isdecimal() else part for part in path.split("/"))


def create_app(database: Path, contracts: Path | None = None) -> Starlette:
    box = Sandbox(database, contracts)

    async def token(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode()))
        grant = request.query_params.get("grant_type", form.get("grant_type", ""))
        given = form.get("client_id", ""), form.get("client_secret", ""), grant
        return await box.serve("ascend", request, "/oauth/token", lambda: JSONResponse(box.ascend.token(*given)))

    async def linked(request: Request) -> Response:
        def work() -> Response:
            box.ascend.authorize(request.headers.get("authorization", ""), box.ascend.organization)
            return JSONResponse({"organizations": [box.ascend.organization]})

        return await box.serve("ascend", request, "/orgmapper/LinkedOrgs", work)

    async def organizations(request: Request) -> Response:
        def work() -> Response:
            box.ascend.authorize(request.headers.get("authorization", ""), request.headers.get("organization-id"))
            row = box.store.all("organization")[0]
            return JSONResponse({"statusCode": 200, "data": [{**row, "id": row["key"]}]})

        return await box.serve("ascend", request, "/v0/organizations", work)

    async def ascend(request: Request) -> Response:
        body = await request.body()
        collection, row_id = request.path_params["collection"], request.path_params.get("row_id", "")

        def work() -> Response:
            box.ascend.authorize(request.headers.get("authorization", ""), request.headers.get("organization-id"))
            if request.method == "GET" and not row_id:
                stale = box.faults.staleness()
                return JSONResponse(box.ascend.listing(collection, dict(request.query_params), stale))
            if request.method == "GET":
                return JSONResponse(box.ascend.item(collection, row_id, dict(request.query_params)))
            if request.method == "DELETE":
                box.ascend.delete(collection, row_id)
                empty = {"empty_204": 204, "empty_200": 200}.get(box.ascend.switches.delete)
                return (
                    Response(status_code=empty) if empty else JSONResponse({"statusCode": 200, "data": {"id": row_id}})
                )
            given = json.loads(body)
            if request.method == "POST":
                status, answer = box.ascend.create(collection, given)
                return JSONResponse(answer, status_code=status)
            return JSONResponse(box.ascend.update(collection, row_id, given))

        return await box.serve("ascend", request, request.url.path.removeprefix(API), work)

    async def email(request: Request) -> Response:
        body = await request.body()

        def work() -> Response:
            if request.headers.get("authorization") != f"Bearer {seed.SENDGRID_KEY}":
                raise sendgrid_problem(401, "authorization required", "")
            if request.method == "GET":
                return JSONResponse({"scopes": ["mail.send"]})
            return Response(status_code=202, headers={"X-Message-Id": send_email(box.store, json.loads(body))})

        return await box.serve("sendgrid", request, request.url.path, work)

    async def text(request: Request) -> Response:
        form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
        account = request.path_params["account"]

        def work() -> Response:
            _authorize_twilio(request.headers.get("authorization", ""), account)
            if request.url.path.endswith(f"{account}.json"):
                return JSONResponse({"sid": account, "status": "active"})
            if request.method == "POST":
                return JSONResponse(send_text(box.store, account, form), status_code=201)
            return JSONResponse({"messages": listed_texts(box.store, account, dict(request.query_params))})

        return await box.serve("twilio", request, request.url.path, work)

    def partner(endpoint: Endpoint) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            body = await request.body()

            def work() -> Response:
                response = nexhealth.answer(box.nexhealth, endpoint, request, body)
                box.document.compare(request, body, response)
                return response

            return await box.serve("nexhealth", request, request.url.path, work)

        return answer

    async def control(request: Request) -> Response:
        what = request.path_params["what"]
        given: Any = json.loads(await request.body() or b"{}")
        if what == "clock":
            return JSONResponse(await set_clock(box.nexhealth, given))

        def work() -> Response:
            if what == "state":
                return JSONResponse(box.state())
            if what == "calls":
                return JSONResponse({system: dict(counts) for system, counts in box.calls.items()})
            if what == "faults" and request.method == "DELETE":
                box.faults.clear()
                return JSONResponse({})
            if what == "faults":
                return JSONResponse({"id": box.faults.add(**given).id})
            if what == "held":
                return JSONResponse({"held": box.faults.held()})
            if what == "release":
                box.faults.release(**given)
                return JSONResponse({})
            if what == "settings":
                vars(box.ascend.switches).update({k: v for k, v in given.items() if k in vars(box.ascend.switches)})
                return JSONResponse(vars(box.ascend.switches))
            if what == "desk" and given.pop("system", "ascend") == "nexhealth":
                return JSONResponse(act_at_office(box.nexhealth, given))
            if what == "desk":
                return JSONResponse(act(box.ascend, given))
            if what == "nexhealth":
                return JSONResponse(set_switches(box.nexhealth, given))
            if what == "office":
                return JSONResponse(set_office(box.nexhealth, given))
            if what == "reset":
                return _reset(box, given)
            raise problem(404, "unknown_control")

        return _answered(work)

    async def shown(request: Request) -> Response:
        state, offices = box.state(), calendar(box.nexhealth)
        both = {**state, **{kind: state[kind] + rows for kind, rows in offices.items()}}
        return HTMLResponse(page(both, waiting(box.nexhealth), request.query_params.get("date")))

    account = "/2010-04-01/Accounts/{account}"
    every: list[tuple[str, Callable[[Request], Awaitable[Response]], list[str]]] = [
        ("/oauth/client_credential/accesstoken", token, ["POST"]),
        ("/orgmapper/LinkedOrgs", linked, ["GET"]),
        (API + "/v0/organizations", organizations, ["GET"]),
        (API + "/v1/{collection}", ascend, ["GET", "POST"]),
        (API + "/v1/{collection}/{row_id}", ascend, ["GET", "PUT", "DELETE"]),
        ("/v3/mail/send", email, ["POST"]),
        ("/v3/scopes", email, ["GET"]),
        (account + "/Messages.json", text, ["GET", "POST"]),
        (account + ".json", text, ["GET"]),
        *((endpoint.path, partner(endpoint), [endpoint.method]) for endpoint in nexhealth.ENDPOINTS),
        ("/_control/{what}", control, ["GET", "POST", "DELETE"]),
        ("/", shown, ["GET"]),
    ]

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with box.nexhealth.running():
            yield

    routes = [Route(path, endpoint, methods=methods) for path, endpoint, methods in every]
    return Starlette(routes=routes, lifespan=lifespan)


def _reset(box: Sandbox, given: Row) -> Response:
    box.store.clear()
    seed.seed(box.store)
    box.faults.clear()
    box.faults.hits.clear()
    box.ascend.switches = type(box.ascend.switches)()
    box.nexhealth.reset(keep_subscriptions=bool(given.get("keep_subscriptions")))
    box.document.violations.clear()
    for system, counts in box.calls.items():
        counts.clear()
        box.called[system].clear()
    return JSONResponse({})


def _authorize_twilio(header: str, account: str) -> None:
    expected = base64.b64encode(":".join(seed.TWILIO_LOGIN).encode()).decode()
    if not hmac.compare_digest(header, f"Basic {expected}") or account != seed.TWILIO_ACCOUNT:
        raise twilio_problem(401, 20003)
