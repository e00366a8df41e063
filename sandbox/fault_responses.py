"""The HTTP answers that callers get when a scripted fault applies."""

from collections.abc import Callable, Mapping

from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from sandbox.errors import apigee_fault, coded_error
from sandbox.faults import Fault
from sandbox.nexhealth.api import FAULT_RESPONSES as NEXHEALTH_RESPONSES
from sandbox.nexhealth.api import NOT_DONE

MakeResponse = Callable[[Fault], Response]


def response_before_commit(fault: Fault) -> Response | None:
    """The answer in place of carrying out the call; None if this fault lets the call through."""
    return _make_response(_BEFORE_COMMIT, fault)


def response_after_commit(fault: Fault) -> Response | None:
    """The answer in place of the true one, once the call is carried out; None if the true answer stays."""
    return _make_response(_AFTER_COMMIT, fault)


def _make_response(responses: Mapping[str, MakeResponse], fault: Fault) -> Response | None:
    common = responses.get(fault.kind)
    if common is None:
        return None
    vendor_specific = NEXHEALTH_RESPONSES.get(fault.kind) if fault.system == "nexhealth" else None
    return (vendor_specific or common)(fault)


class CutOffResponse(Response):
    """Drops the connection in the middle of the answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"5000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"data": ', "more_body": True})
        raise ConnectionResetError("cut off on purpose")


_BEFORE_COMMIT: dict[str, MakeResponse] = {
    "status_before": lambda f: JSONResponse(coded_error(f.status, "unavailable").body, status_code=f.status),
    "rate_limited": lambda f: JSONResponse(
        apigee_fault("Rate limit", "policies.ratelimit"), status_code=429, headers={"Retry-After": str(f.retry_after)}
    ),
    "expire_tokens": lambda f: JSONResponse(
        apigee_fault("Invalid Access Token", "oauth.v2.InvalidAccessToken"), status_code=401
    ),
    "forbidden": lambda f: JSONResponse(coded_error(403, "forbidden").body, status_code=403),
    "array_error": lambda f: JSONResponse([{"code": "odd"}], status_code=f.status),
    "text_error": lambda f: HTMLResponse("<html>gateway</html>", status_code=f.status),
    "code_false": lambda f: JSONResponse(NOT_DONE),
    "fault_error": lambda f: JSONResponse(apigee_fault("Gateway", "messaging.adaptors.http"), status_code=f.status),
}
_AFTER_COMMIT: dict[str, MakeResponse] = {
    "status_after": lambda f: JSONResponse(coded_error(f.status, "server_error").body, status_code=f.status),
    "drop_after": lambda f: CutOffResponse(),
    "garbage": lambda f: PlainTextResponse("not json {"),
}
