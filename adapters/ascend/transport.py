"""Calls to Ascend: token, headers, rate limit, and what each response means."""

import asyncio
import math
import re
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
from adapters.http import (
    HttpClient,
    NoAnswer,
    NotSent,
    decoded_json,
    is_unclear,
    is_usable_token,
    reading,
    retry_after,
    translated_failures,
    without_ids,
)
from adapters.json_text import UnreadableJson
from adapters.practice_system import SendPermit

log = structlog.get_logger(__name__)

API_PATH = "/ascend-gateway/api"
TOKEN_PATH = "/oauth/client_credential/accesstoken"  # noqa: S105
BURST_SECONDS = 0.75
"""Calls that this many seconds allow may be made at once, and at least two. At the default rate of 8 a second these are
six, as many as a booking takes, and no second has more than 14. The vendor's onboarding notes say 15.
"""
DEFAULT_TOKEN_SECONDS = 3600.0
"""How long a token lasts if the response does not say. The vendor's documents say one hour."""
MAX_TOKEN_SECONDS = 86_400.0
TOKEN_RENEWAL_SECONDS = 120.0
"""A token is replaced this long before it ends."""
_CODE = re.compile(r"[A-Za-z0-9._-]{1,60}")
"""One word. Anything longer where a code should stand may be a sentence that quotes a person."""


class TokenRefused(NotAuthorized):
    """Ascend refused the token before it processed the call. The next call gets a new token."""


class Transport:
    def __init__(self, config: AscendConfig) -> None:
        self._config = config
        self._http = HttpClient(config.base_url, config.connect_timeout, config.read_timeout)
        burst = max(2, config.requests_per_second * BURST_SECONDS)
        self._limiter = AsyncLimiter(burst, burst / config.requests_per_second)
        self._token = ""
        self._token_expires_at = 0.0
        """By the monotonic clock."""
        self._renewing_token = asyncio.Lock()

    async def close(self) -> None:
        await self._http.close()

    async def wait_for_capacity(self) -> None:
        """Wait until the token is valid and the rate limit allows one more call.

        The caller then makes that call with ``has_waited``.
        """
        await self._ensure_token()
        await self._limiter.acquire()

    async def read(self, path: str, params: dict[str, str], *, has_waited: bool = False) -> Any:
        """The decoded body of a GET. Raises the errors of ``adapters.errors``, but never OutcomeUnknown: a read
        without a clear answer is Unavailable.
        """
        with reading():
            return await self._call("GET", path, params, None, has_waited)

    async def write(
        self, method: str, path: str, body: Any = None, *, has_waited: bool = False, permit: SendPermit | None = None
    ) -> Any:
        """The decoded body of a write. Raises OutcomeUnknown if the response does not prove what happened.

        ``has_waited``: the write depends on a row that the caller has just read, so it is not repeated with a new
        token. Raises TokenRefused instead.
        ``permit``: says until when the write may be sent. Raises Unavailable after that.
        """
        return await self._call(method, path, {}, body, has_waited, permit)

    async def linked_organizations(self) -> list[str]:
        """Ids of the organizations for which our client is enabled."""
        with reading():
            response = await self._send("GET", "/orgmapper/LinkedOrgs", {}, None)
            body = _decoded(response, "GET /orgmapper/LinkedOrgs")
        organizations = body.get("organizations") if isinstance(body, dict) else None
        return [str(organization) for organization in organizations] if isinstance(organizations, list) else []

    async def _call(
        self,
        method: str,
        path: str,
        params: dict[str, str],
        body: Any,
        has_waited: bool,
        permit: SendPermit | None = None,
    ) -> Any:
        call_name = f"{method} {without_ids(path)}"
        response = await self._send(method, API_PATH + path, params, body, has_waited, permit)
        if response.status_code == 401:
            # Ascend refused it before processing, so even a write may be sent again with a new token. Waiting for
            # that token takes time, though: a write that depends on a row just read must read it again.
            if has_waited and method != "GET":
                raise TokenRefused(f"{call_name}: 401", code="401")
            response = await self._send(method, API_PATH + path, params, body, permit=permit)
        _raise_for_status(response, call_name)
        if method == "DELETE":
            return None  # the vendor does not document the body: it may be empty
        return _decoded(response, call_name)

    async def _send(
        self,
        method: str,
        path: str,
        params: dict[str, str],
        body: Any,
        has_waited: bool = False,
        permit: SendPermit | None = None,
    ) -> httpx.Response:
        if not has_waited:
            await self.wait_for_capacity()
        token = self._token
        headers = {
            "Authorization": f"Bearer {token}",
            "Organization-ID": self._config.organization_id,
            "Accept": "application/json",
        }
        call_name = f"{method} {without_ids(path.removeprefix(API_PATH))}"
        # Ask last, when nothing but the response is left to wait for: the permit is about the moment of sending.
        send_before = await permit() if permit is not None else None
        started_at = time.monotonic()
        with translated_failures(call_name):
            response = await self._http.request(
                method, path, params=params, content=body, headers=headers, send_before=send_before
            )
        log.debug(
            "ascend_call",
            call=call_name,
            status=response.status_code,
            seconds=round(time.monotonic() - started_at, 3),
        )
        if response.status_code == 401 and token == self._token:
            self._token_expires_at = 0.0
        return response

    async def _ensure_token(self) -> None:
        async with self._renewing_token:  # or many calls at once would each ask for a token
            if time.monotonic() > self._token_expires_at:
                await self._renew_token()

    async def _renew_token(self) -> None:
        call_name = f"POST {TOKEN_PATH}"
        try:
            response = await self._http.request(
                "POST",
                TOKEN_PATH,
                params={"grant_type": "client_credentials"},
                form={"client_id": self._config.client_id, "client_secret": self._config.client_secret},
            )
        except (NotSent, NoAnswer) as failure:
            raise Unavailable(f"{call_name}: {failure}") from None
        status = response.status_code
        if status == 429:
            raise RateLimited(f"{call_name}: 429", retry_after(response))
        if status in (400, 401, 403):
            raise NotAuthorized(f"{call_name}: {status}: ASCEND_CLIENT_ID or ASCEND_CLIENT_SECRET is refused")
        try:
            body = decoded_json(response.content)
        except UnreadableJson:
            body = None
        if not isinstance(body, dict) or not is_usable_token(body.get("access_token")):
            raise Unavailable(f"{call_name}: {status} without a token")
        lifetime = _token_lifetime(body.get("expires_in"))
        self._token = body["access_token"]
        self._token_expires_at = time.monotonic() + max(lifetime - TOKEN_RENEWAL_SECONDS, lifetime / 2)


def _token_lifetime(seconds: Any) -> float:
    """At most a day: a token that ends before is refused, and then renewed."""
    try:
        lifetime = float(seconds or DEFAULT_TOKEN_SECONDS)
    except (ValueError, TypeError, OverflowError):
        return DEFAULT_TOKEN_SECONDS
    return min(lifetime, MAX_TOKEN_SECONDS) if math.isfinite(lifetime) and lifetime > 0 else DEFAULT_TOKEN_SECONDS


def _raise_for_status(response: httpx.Response, call_name: str) -> None:
    """Raise the error for any status but 2xx, by the vendor's documented list of statuses."""
    status = response.status_code
    if 200 <= status < 300:
        return
    reason = f"{call_name}: {status}{_error_code(response)}"
    if status == 404:
        raise NotFound(reason, code="404")
    if status in (401, 403):
        raise NotAuthorized(f"{reason}: Ascend does not accept our credentials for this practice", code=str(status))
    if status == 429:
        raise RateLimited(reason, retry_after(response))
    if is_unclear(status):
        raise OutcomeUnknown(reason)
    raise Refused(reason, code=str(status))


def _decoded(response: httpx.Response, call_name: str) -> Any:
    _raise_for_status(response, call_name)
    try:
        return decoded_json(response.content)
    except UnreadableJson:
        raise OutcomeUnknown(f"{call_name}: {response.status_code} with an unreadable body") from None


def _error_code(response: httpx.Response) -> str:
    """The vendor's error code with a space before it, or nothing. Never a description: it may quote a person.

    Errors come as the API's own envelope, as a bare array, as a fault of the gateway, or as no JSON at all.
    """
    try:
        body = decoded_json(response.content)
    except UnreadableJson:
        return ""
    errors = body if isinstance(body, list) else body.get("errors") if isinstance(body, dict) else None
    code = errors[0].get("code") if isinstance(errors, list) and errors and isinstance(errors[0], dict) else None
    if code is None and isinstance(body, dict) and isinstance(body.get("fault"), dict):
        detail = body["fault"].get("detail")
        code = detail.get("errorcode") if isinstance(detail, dict) else None
    text = str(code or "")
    return f" {text}" if _CODE.fullmatch(text) else ""
