"""Calls to NexHealth: token, headers, pace, pages, and what each answer means."""

import time
from collections.abc import Sequence
from typing import Any

import httpx
import structlog

from adapters.errors import Misconfigured, NotAuthorized, OutcomeUnknown, RateLimited, Unavailable
from adapters.http import HttpClient, NoAnswer, NotSent, anonymous, calling, retry_after
from adapters.nexhealth.account import Account, limiter
from adapters.nexhealth.config import NexHealthConfig
from adapters.nexhealth.refusals import refusal
from adapters.practice_system import Permit

log = structlog.get_logger(__name__)

Row = dict[str, Any]
Params = Sequence[tuple[str, str]]

VERSION = "v3.0.0"
USER_AGENT = "Holdfast/0.1"
"""The vendor's edge refuses the default names of HTTP libraries."""
IGNORED = "parameters are ignored"


class Transport:
    def __init__(self, config: NexHealthConfig, account: Account) -> None:
        self._config = config
        self._account = account
        self._http = HttpClient(config.base_url, config.connect_timeout, config.read_timeout)
        self._pace = limiter(config.requests_per_second)

    async def close(self) -> None:
        await self._http.close()

    async def read(self, path: str, params: Params = (), *, scoped: bool = True) -> Any:
        """What a GET answers. Raises the error family; whatever is unclear is Unavailable."""
        return (await self._read(path, params, scoped)).get("data")

    async def rows(self, path: str, params: Params = ()) -> list[Row]:
        """Every row of a paged collection."""
        found: dict[int, Row] = {}
        cursor: str | None = None
        while True:
            paging = [("per_page", str(self._config.page_size)), *([("end_cursor", cursor)] if cursor else [])]
            body = await self._read(path, [*params, *paging], True)
            found.update((row["id"], row) for row in rows_of(body.get("data"), path))
            page = body.get("page_info")
            if not isinstance(page, dict):
                raise Unavailable(f"GET {path}: a page that does not say whether it is the last")
            if not page.get("has_next_page"):
                return list(found.values())
            if page.get("end_cursor") in (None, "", cursor):
                raise Unavailable(f"GET {path}: the same page again")
            cursor = str(page["end_cursor"])

    async def write(
        self,
        method: str,
        path: str,
        body: Any,
        params: Params = (),
        *,
        scoped: bool = True,
        permit: Permit | None = None,
    ) -> Any:
        """What a write answers. Raises OutcomeUnknown whenever the answer proves nothing.

        With ``permit`` it is sent only while that allows it: raises Unavailable.
        """
        name = f"{method} {anonymous(path)}"
        answer = await self._call(method, path, params, body, scoped, permit)
        if ignored := _ignored(answer):
            log.error("nexhealth ignored parameters: a defect of ours", call=name, parameters=ignored)
            raise OutcomeUnknown(f"{name}: done without the parameters {ignored}, which are ignored")
        return answer.get("data")

    async def _read(self, path: str, params: Params, scoped: bool) -> Row:
        try:
            body = await self._call("GET", path, params, None, scoped)
        except OutcomeUnknown as unclear:
            raise Unavailable(str(unclear)) from None
        if ignored := _ignored(body):
            # A filter that is ignored answers with other people's records.
            what = f"GET {anonymous(path)}: the parameters {ignored} are ignored: a defect of ours"
            raise Misconfigured(what, code="ignored_parameters")
        return body

    async def _call(
        self, method: str, path: str, params: Params, body: Any, scoped: bool, permit: Permit | None = None
    ) -> Row:
        query = [("subdomain", self._config.subdomain), *params] if scoped else list(params)
        token = await self._current_token()
        answer = await self._send(token, method, path, query, body, permit)
        if answer.status_code == 401:
            # Refused before it was processed, so that even a write may be sent again with a new token.
            token = await self._current_token(instead_of=token)
            answer = await self._send(token, method, path, query, body, permit)
        return understood(answer, f"{method} {anonymous(path)}")

    async def _send(
        self, token: str, method: str, path: str, query: Params, body: Any, permit: Permit | None
    ) -> httpx.Response:
        name = f"{method} {anonymous(path)}"
        await self._pace.acquire()
        await self._account.pace.acquire()
        if method == "GET" and path == "/appointments":
            await self._account.calendar_pace.acquire()
        until = await permit() if permit is not None else None
        begun = time.monotonic()
        with calling(name):
            answer = await self._http.request(
                method, path, params=query, content=body, headers=_headers(f"Bearer {token}"), until=until
            )
        log.debug("nexhealth", call=name, status=answer.status_code, seconds=round(time.monotonic() - begun, 3))
        return answer

    async def _current_token(self, *, instead_of: str | None = None) -> str:
        return await self._account.token(self._new_token, instead_of=instead_of)

    async def _new_token(self) -> str:
        name = "POST /authenticates"
        try:
            answer = await self._http.request("POST", "/authenticates", headers=_headers(self._config.api_key))
        except (NotSent, NoAnswer) as failure:
            raise Unavailable(f"{name}: {failure}") from None
        if answer.status_code == 401:
            raise NotAuthorized(f"{name}: 401: NEXHEALTH_API_KEY is refused", code="401")
        try:
            return str(understood(answer, name)["data"]["token"])
        except (KeyError, TypeError):
            raise Unavailable(f"{name}: {answer.status_code} without a token") from None
        except OutcomeUnknown as unclear:
            raise Unavailable(str(unclear)) from None


def rows_of(data: Any, path: str) -> list[Row]:
    if not isinstance(data, list) or any(not isinstance(row, dict) or "id" not in row for row in data):
        raise Unavailable(f"GET {anonymous(path)}: an answer without rows")
    return data


def _headers(authorization: str) -> dict[str, str]:
    return {
        "Authorization": authorization,
        "Nex-Api-Version": VERSION,
        "Accept": "application/json",
        "User-Agent": USER_AGENT,
    }


def understood(answer: httpx.Response, name: str) -> Row:
    """The envelope of an answer that says it was done."""
    status = answer.status_code
    if status == 204:
        return {}
    if status == 429:
        raise RateLimited(f"{name}: 429", retry_after(answer))
    if status == 408 or status >= 500:
        raise OutcomeUnknown(f"{name}: {status}")
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        if status == 403:
            raise Unavailable(f"{name}: 403 from the vendor's edge: it did not let the call through")
        if 200 <= status < 300:
            raise OutcomeUnknown(f"{name}: {status} with an unreadable body")
        raise refusal(name, status, [])
    if not 200 <= status < 300 or body.get("code") is False:
        raise refusal(name, status, _texts(body.get("error")))
    return body


def _texts(value: Any) -> list[str]:
    return [str(text) for text in value] if isinstance(value, list) else [str(value)] if value else []


def _ignored(body: Row) -> str:
    """Names of parameters that were ignored; empty: none."""
    said = " ".join(_texts(body.get("description")))
    if IGNORED not in said:
        return ""
    names = said.partition(IGNORED)[2]
    return "".join(c for c in names if c.isascii() and (c.isalnum() or c in "_[], ")).strip()[:100] or "unnamed"
