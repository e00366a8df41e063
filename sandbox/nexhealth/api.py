"""The calls that NexHealth answers."""

import json
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from sandbox.ascend import Answer
from sandbox.faults import Fault
from sandbox.nexhealth import appointments, hours, patients, setup, slots, subscribing
from sandbox.nexhealth.calls import Call, Endpoint
from sandbox.nexhealth.entry import turned_away
from sandbox.nexhealth.envelope import EXPIRED, NO_ACCESS, Reply, invalid, refusal
from sandbox.nexhealth.parameters import Parameters
from sandbox.nexhealth.service import NexHealth
from sandbox.store import Row


def _authenticate(nex: NexHealth, call: Call) -> Reply:
    token = nex.entry.token(call.authorization, nex.world.switches.token_seconds)
    return Reply(token, status=201, description="Authenticated")


ENDPOINTS = (
    Endpoint("POST", "/authenticates", _authenticate, is_open=True),
    *setup.ENDPOINTS,
    *patients.ENDPOINTS,
    *appointments.ENDPOINTS,
    *hours.ENDPOINTS,
    *slots.ENDPOINTS,
    *subscribing.ENDPOINTS,
)


def answer(nex: NexHealth, endpoint: Endpoint, request: Request, body: bytes) -> Response:
    """Raises nothing: whatever is wrong is told in the vendor's own shape."""
    if turned_away(request.headers):
        return _cloudflare()
    path = request.url.path
    if nex.world.switches.rate_limits and nex.limits.exceeded(request.method, path):
        return _rate_limited(nex.world.switches.retry_after)
    try:
        if not endpoint.is_open:
            nex.entry.authorize(request.headers)
        params = Parameters(request.query_params.multi_items(), endpoint.needs, endpoint.takes)
        reply = endpoint.work(nex, _call(nex, params, request, body))
    except Answer as refused:
        return JSONResponse(refused.body, status_code=refused.status)
    except (KeyError, TypeError, ValueError, AttributeError):
        return JSONResponse(invalid("a parameter").body, status_code=400)
    return _written(reply, params)


def _told(status: int, text: str) -> Response:
    return JSONResponse(refusal(status, text).body, status_code=status)


def _rate_limited(retry_after: int | None) -> Response:
    """The body is not documented."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return PlainTextResponse("Retry later\n", status_code=429, headers=headers)


def _call(nex: NexHealth, params: Parameters, request: Request, body: bytes) -> Call:
    subdomain, place = params.get("subdomain"), params.get("location_id")
    institution = nex.world.institution(subdomain) if subdomain is not None else None
    at = nex.world.location(place, institution) if place is not None and institution is not None else None
    return Call(
        params=params,
        ids=_ids(request),
        body=_body(body),
        institution=institution,
        place=at,
        authorization=request.headers.get("authorization", ""),
    )


def _body(body: bytes) -> Row:
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        raise refusal(400, "There was a problem in the JSON you submitted") from None
    if not isinstance(found, dict):
        raise invalid("body")
    return found


def _ids(request: Request) -> dict[str, int]:
    try:
        return {name: int(text) for name, text in request.path_params.items()}
    except ValueError:
        raise invalid("id") from None


def _written(reply: Reply, params: Parameters) -> Response:
    if reply.status == 204:
        return Response(status_code=204)
    return JSONResponse(reply.body(params.ignored), status_code=reply.status)


def _cloudflare() -> Response:
    return HTMLResponse("<!DOCTYPE html><title>Access denied</title>error code: 1010", status_code=403)


NOT_DONE = refusal(200, "This could not be done").body
"""Says in the envelope alone that nothing was done."""

TROUBLE: dict[str, Callable[[Fault], Response]] = {
    "status_before": lambda f: _told(f.status, "unavailable"),
    "status_after": lambda f: _told(f.status, "server error"),
    "rate_limited": lambda f: _rate_limited(f.retry_after),
    "expire_tokens": lambda f: _told(401, EXPIRED),
    "forbidden": lambda f: _told(403, NO_ACCESS),
}
"""What scripted trouble looks like where NexHealth has a shape of its own."""
