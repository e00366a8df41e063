"""What scripted trouble looks like to the caller."""

from collections.abc import Callable, Mapping

from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from sandbox.ascend import fault, problem
from sandbox.faults import Fault
from sandbox.nexhealth.api import NOT_DONE, TROUBLE

Shape = Callable[[Fault], Response]


def instead(trouble: Fault) -> Response | None:
    """What is answered in place of doing anything."""
    return _shaped(_EARLY, trouble)


def afterwards(trouble: Fault) -> Response | None:
    """What is answered once it is done, in place of the true answer."""
    return _shaped(_AFTER, trouble)


def _shaped(shapes: Mapping[str, Shape], trouble: Fault) -> Response | None:
    common = shapes.get(trouble.kind)
    if common is None:
        return None
    own = TROUBLE.get(trouble.kind) if trouble.system == "nexhealth" else None
    return (own or common)(trouble)


class CutOff(Response):
    """Ends the connection in the middle of an answer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", b"application/json"), (b"content-length", b"5000")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"data": ', "more_body": True})
        raise ConnectionResetError("cut off on purpose")


_EARLY: dict[str, Shape] = {
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
    "code_false": lambda f: JSONResponse(NOT_DONE),
    "fault_error": lambda f: JSONResponse(fault("Gateway", "messaging.adaptors.http"), status_code=f.status),
}
_AFTER: dict[str, Shape] = {
    "status_after": lambda f: JSONResponse(problem(f.status, "server_error").body, status_code=f.status),
    "drop_after": lambda f: CutOff(),
    "garbage": lambda f: PlainTextResponse("not json {"),
}
