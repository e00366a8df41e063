"""The HTTP routes of SendGrid and Twilio."""

import base64
import hmac
import json
from functools import partial
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.messaging.providers import list_texts, send_email, send_text, sendgrid_error, twilio_error
from sandbox.service import Sandbox

SENDGRID_KEY = "SG.sandbox"
TWILIO_ACCOUNT = "AC" + "1".rjust(32, "0")
TWILIO_LOGIN = ("SK" + "1".rjust(32, "0"), "sandbox-twilio")
"""API key SID and secret."""
_ACCOUNT_PATH = "/2010-04-01/Accounts/{account}"


def routes(sandbox: Sandbox) -> list[Route]:
    sendgrid, twilio = partial(_serve_sendgrid, sandbox), partial(_serve_twilio, sandbox)
    return [
        Route("/v3/mail/send", sendgrid, methods=["POST"]),
        Route("/v3/scopes", sendgrid, methods=["GET"]),
        Route(_ACCOUNT_PATH + "/Messages.json", twilio, methods=["GET", "POST"]),
        Route(_ACCOUNT_PATH + ".json", twilio, methods=["GET"]),
    ]


async def _serve_sendgrid(sandbox: Sandbox, request: Request) -> Response:
    body = await request.body()

    def handle() -> Response:
        if request.headers.get("authorization") != f"Bearer {SENDGRID_KEY}":
            raise sendgrid_error(401, "authorization required", "")
        if request.method == "GET":
            return JSONResponse({"scopes": ["mail.send"]})
        return Response(status_code=202, headers={"X-Message-Id": send_email(sandbox.store, json.loads(body))})

    return await sandbox.serve("sendgrid", request, request.url.path, handle)


async def _serve_twilio(sandbox: Sandbox, request: Request) -> Response:
    form = dict(parse_qsl((await request.body()).decode(), keep_blank_values=True))
    account = request.path_params["account"]

    def handle() -> Response:
        _check_twilio_login(request.headers.get("authorization", ""), account)
        if request.url.path.endswith(f"{account}.json"):
            raise twilio_error(401, 20003)  # a standard API key may not read accounts
        if request.method == "POST":
            return JSONResponse(send_text(sandbox.store, account, form), status_code=201)
        return JSONResponse({"messages": list_texts(sandbox.store, account, dict(request.query_params))})

    return await sandbox.serve("twilio", request, request.url.path, handle)


def _check_twilio_login(header: str, account: str) -> None:
    expected = base64.b64encode(":".join(TWILIO_LOGIN).encode()).decode()
    if not hmac.compare_digest(header, f"Basic {expected}") or account != TWILIO_ACCOUNT:
        raise twilio_error(401, 20003)
