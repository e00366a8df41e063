"""NexHealth's API: its endpoints, and how a call to one of them is answered."""

import json
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response

from sandbox.errors import ErrorResponse
from sandbox.faults import Fault
from sandbox.nexhealth import (
    appointments,
    available_slots,
    patients,
    practice_info,
    webhook_subscriptions,
    working_hours,
)
from sandbox.nexhealth.auth import is_anonymous_client
from sandbox.nexhealth.endpoint import ApiCall, Endpoint
from sandbox.nexhealth.envelope import AUTHENTICATION_EXPIRED, NO_ACCESS, Reply, api_error, invalid_parameter
from sandbox.nexhealth.parameters import Parameters
from sandbox.nexhealth.service import NexHealth
from sandbox.store import Row


def _authenticate(nexhealth: NexHealth, call: ApiCall) -> Reply:
    token = nexhealth.auth.issue_token(call.authorization, nexhealth.state.switches.token_seconds)
    return Reply(token, status=201, description="Authenticated")


ENDPOINTS = (
    Endpoint("POST", "/authenticates", _authenticate, needs_token=False),
    *practice_info.ENDPOINTS,
    *patients.ENDPOINTS,
    *appointments.ENDPOINTS,
    *working_hours.ENDPOINTS,
    *available_slots.ENDPOINTS,
    *webhook_subscriptions.ENDPOINTS,
)


def handle_call(nexhealth: NexHealth, endpoint: Endpoint, request: Request, body: bytes) -> Response:
    """Answer a call. Raises nothing: every error becomes an answer in the vendor's own shape."""
    if is_anonymous_client(request.headers):
        return _content_network_response()
    switches = nexhealth.state.switches
    if switches.rate_limits and not nexhealth.rate_limits.admit(request.method, request.url.path):
        return _rate_limited_response(switches.retry_after)
    try:
        if endpoint.needs_token:
            nexhealth.auth.check_headers(request.headers)
        params = Parameters(request.query_params.multi_items(), endpoint.required, endpoint.optional)
        reply = endpoint.handler(nexhealth, _api_call(nexhealth, params, request, body))
    except ErrorResponse as error:
        return JSONResponse(error.body, status_code=error.status)
    except (KeyError, TypeError, ValueError, AttributeError):
        return JSONResponse(invalid_parameter("a parameter").body, status_code=400)
    return _reply_response(reply, params)


def _error_response(status: int, text: str) -> Response:
    return JSONResponse(api_error(status, text).body, status_code=status)


def _rate_limited_response(retry_after: int | None) -> Response:
    """The vendor does not document this answer's body."""
    headers = {} if retry_after is None else {"Retry-After": str(retry_after)}
    return PlainTextResponse("Retry later\n", status_code=429, headers=headers)


def _content_network_response() -> Response:
    return HTMLResponse("<!DOCTYPE html><title>Access denied</title>error code: 1010", status_code=403)


def _api_call(nexhealth: NexHealth, params: Parameters, request: Request, body: bytes) -> ApiCall:
    subdomain, location_id = params.get("subdomain"), params.get("location_id")
    institution = nexhealth.state.get_institution(subdomain) if subdomain is not None else None
    location = None
    if location_id is not None and institution is not None:
        location = nexhealth.state.get_location(location_id, institution)
    return ApiCall(
        params=params,
        path_ids=_path_ids(request),
        body=_parse_body(body),
        authorization=request.headers.get("authorization", ""),
        optional_institution=institution,
        optional_location=location,
    )


def _parse_body(body: bytes) -> Row:
    try:
        parsed = json.loads(body or b"{}")
    except ValueError:
        raise api_error(400, "There was a problem in the JSON you submitted") from None
    if not isinstance(parsed, dict):
        raise invalid_parameter("body")
    return parsed


def _path_ids(request: Request) -> dict[str, int]:
    try:
        return {name: int(text) for name, text in request.path_params.items()}
    except ValueError:
        raise invalid_parameter("id") from None


def _reply_response(reply: Reply, params: Parameters) -> Response:
    if reply.status == 204:
        return Response(status_code=204)
    return JSONResponse(reply.body(params.ignored), status_code=reply.status)


NOT_DONE = api_error(200, "This could not be done").body
"""The body of an answer with status 200 whose envelope says that nothing was done."""

FAULT_RESPONSES: dict[str, Callable[[Fault], Response]] = {
    "status_before": lambda f: _error_response(f.status, "unavailable"),
    "status_after": lambda f: _error_response(f.status, "server error"),
    "rate_limited": lambda f: _rate_limited_response(f.retry_after),
    "expire_tokens": lambda f: _error_response(401, AUTHENTICATION_EXPIRED),
    "forbidden": lambda f: _error_response(403, NO_ACCESS),
}
"""The answers to scripted faults for which NexHealth has its own shape."""
