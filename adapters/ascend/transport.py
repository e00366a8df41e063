"""Calls to Ascend: token, headers, pace, and what each answer means."""

import asyncio
import time
from typing import Any

import httpx
import structlog
from aiolimiter import AsyncLimiter

from adapters.ascend.config import AscendConfig
from adapters.errors import (
    NotAuthorized,
    NotFound,
    OutcomeUnknown,
    RateLimited,
    Refused,
    Unavailable,
)
from adapters.http import HttpClient, NoAnswer, NotSent, anonymous, calling, retry_after
from adapters.practice_system import Permit

log = structlog.get_logger(__name__)

API = "/ascend-gateway/api"
BURST = 2.0
"""Seconds' worth of calls that may be made at once."""
REFRESH_EARLY = 120.0
"""Seconds before its end at which a token is replaced."""


class TokenRefused(NotAuthorized):
    """The next call gets a new token."""


class Transport:
    def __init__(self, config: AscendConfig) -> None:
        self._config = config
        self._http = HttpClient(config.base_url, config.connect_timeout, config.read_timeout)
        at_once = max(2, config.requests_per_second * BURST)
        self._limiter = AsyncLimiter(at_once, at_once / config.requests_per_second)
        self._token = ""
        self._token_ends = 0.0
        self._refreshing = asyncio.Lock()

    async def close(self) -> None:
        await self._http.close()

    async def turn(self) -> None:
        """Wait until one more call may be made, which then is made with ``at_once``."""
        await self._authorization()
        await self._limiter.acquire()

    async def read(self, path: str, params: dict[str, str], *, at_once: bool = False) -> Any:
        """The decoded body of a GET. Raises the error family; whatever is unclear is Unavailable."""
        try:
            return await self._call("GET", path, params, None, at_once)
        except OutcomeUnknown as unclear:
            raise Unavailable(str(unclear)) from None

    async def write(
        self, method: str, path: str, body: Any = None, *, at_once: bool = False, permit: Permit | None = None
    ) -> Any:
        """The decoded body of a write. Raises OutcomeUnknown whenever the answer proves nothing.

        With ``at_once`` it rests on what was read just before, and is not repeated: raises TokenRefused.
        With ``permit`` it is sent only while that allows it: raises Unavailable.
        """
        return await self._call(method, path, {}, body, at_once, permit)

    async def linked_organizations(self) -> list[str]:
        answer = await self._send("GET", "/orgmapper/LinkedOrgs", {}, None)
        body = _decoded(answer, "GET /orgmapper/LinkedOrgs")
        found = body.get("organizations") if isinstance(body, dict) else None
        return [str(org) for org in found] if isinstance(found, list) else []

    async def _call(
        self, method: str, path: str, params: dict[str, str], body: Any, at_once: bool, permit: Permit | None = None
    ) -> Any:
        name = f"{method} {anonymous(path)}"
        answer = await self._send(method, API + path, params, body, at_once, permit)
        if answer.status_code == 401:
            # Refused before it was processed, so that even a write may be sent again with a new token.
            if at_once and method != "GET":
                raise TokenRefused(f"{name}: 401", code="401")
            answer = await self._send(method, API + path, params, body, permit=permit)
        _raise_for(answer, name)
        if method == "DELETE":
            return None
        return _decoded(answer, name)

    async def _send(
        self,
        method: str,
        path: str,
        params: dict[str, str],
        body: Any,
        at_once: bool = False,
        permit: Permit | None = None,
    ) -> httpx.Response:
        if not at_once:
            await self.turn()
        token = self._token
        headers = {
            "Authorization": f"Bearer {token}",
            "Organization-ID": self._config.organization_id,
            "Accept": "application/json",
        }
        name = f"{method} {anonymous(path.removeprefix(API))}"
        until = await permit() if permit is not None else None
        begun = time.monotonic()
        with calling(name):
            answer = await self._http.request(method, path, params=params, content=body, headers=headers, until=until)
        log.debug("ascend", call=name, status=answer.status_code, seconds=round(time.monotonic() - begun, 3))
        if answer.status_code == 401 and token == self._token:
            self._token_ends = 0.0
        return answer

    async def _authorization(self) -> None:
        async with self._refreshing:
            if time.monotonic() > self._token_ends:
                await self._new_token()

    async def _new_token(self) -> None:
        name = "POST /oauth/client_credential/accesstoken"
        try:
            answer = await self._http.request(
                "POST",
                "/oauth/client_credential/accesstoken",
                params={"grant_type": "client_credentials"},
                form={"client_id": self._config.client_id, "client_secret": self._config.client_secret},
            )
        except (NotSent, NoAnswer) as failure:
            raise Unavailable(f"{name}: {failure}") from None
        if answer.status_code == 429:
            raise RateLimited(f"{name}: 429", retry_after(answer))
        if answer.status_code in (400, 401, 403):
            raise NotAuthorized(f"{name}: {answer.status_code}: ASCEND_CLIENT_ID or ASCEND_CLIENT_SECRET is refused")
        try:
            body = answer.json()
            self._token = str(body["access_token"])
            lasts = float(body.get("expires_in") or 3600)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise Unavailable(f"{name}: {answer.status_code} without a token") from None
        self._token_ends = time.monotonic() + max(lasts - REFRESH_EARLY, lasts / 2)


def _raise_for(answer: httpx.Response, name: str) -> None:
    status = answer.status_code
    if 200 <= status < 300:
        return
    what = f"{name}: {status}{_code(answer)}"
    if status == 404:
        raise NotFound(what, code="404")
    if status in (401, 403):
        raise NotAuthorized(what, code=str(status))
    if status == 429:
        raise RateLimited(what, retry_after(answer))
    if status == 408 or status >= 500:
        raise OutcomeUnknown(what)
    raise Refused(what, code=str(status))


def _decoded(answer: httpx.Response, name: str) -> Any:
    _raise_for(answer, name)
    try:
        return answer.json()
    except ValueError:
        raise OutcomeUnknown(f"{name}: {answer.status_code} with an unreadable body") from None


def _code(answer: httpx.Response) -> str:
    """The vendor's error code, from any of the shapes its errors come in; never a description, which may quote."""
    try:
        body = answer.json()
    except ValueError:
        return ""
    errors = body if isinstance(body, list) else body.get("errors") if isinstance(body, dict) else None
    found = errors[0].get("code") if isinstance(errors, list) and errors and isinstance(errors[0], dict) else None
    if found is None and isinstance(body, dict) and isinstance(body.get("fault"), dict):
        detail = body["fault"].get("detail")
        found = detail.get("errorcode") if isinstance(detail, dict) else None
    text = "".join(c for c in str(found or "") if c.isascii() and (c.isalnum() or c in "._-"))[:60]
    return f" {text}" if text else ""
