"""The calls that SendGrid and Twilio answer."""

import base64
import hmac
import json
from functools import partial
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.messaging import listed_texts, send_email, send_text, sendgrid_problem, twilio_problem
from sandbox.seed import SENDGRID_KEY, TWILIO_ACCOUNT, TWILIO_LOGIN
from sandbox.service import Sandbox

_ACCOUNT = "/2010-04-01/Accounts/{account}"


def routes(box: Sandbox) -> list[Route]:
    email, text = partial(_email, box), partial(_text, box)
    return [
        Route("/v3/mail/send", email, methods=["POST"]),
        Route("/v3/scopes", email, methods=["GET"]),
        Route(_ACCOUNT + "/Messages.json", text, methods=["GET", "POST"]),
        Route(_ACCOUNT + ".json", text, methods=["GET"]),
    ]


async def _email(box: Sandbox, request: Request) -> Response:
    body = await request.body()

    def work() -> Response:
        if request.headers.get("authorization") != f"Bearer {SENDGRID_KEY}":
            raise sendgrid_problem(401, "authorization required", "")
        if request.method == "GET":
            return JSONResponse({"scopes": ["mail.send"]})
        return Response(status_code=202, headers={"X-Message-Id": send_email(box.store, json.loads(body))})

    return await box.serve("sendgrid", request, request.url.path, work)


async def _text(box: Sandbox, request: Request) -> Response:
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


def _authorize_twilio(header: str, account: str) -> None:
    expected = base64.b64encode(":".join(TWILIO_LOGIN).encode()).decode()
    if not hmac.compare_digest(header, f"Basic {expected}") or account != TWILIO_ACCOUNT:
        raise twilio_problem(401, 20003)
