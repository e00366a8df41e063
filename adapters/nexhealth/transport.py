"""Calls to NexHealth: token, headers, rate limits, pages, and what each response means."""

import time
from collections.abc import Sequence
from typing import Any

import httpx
import structlog

from adapters.errors import Misconfigured, NotAuthorized, OutcomeUnknown, RateLimited, Unavailable
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
from adapters.nexhealth.account import Account, rate_limiter
from adapters.nexhealth.config import NexHealthConfig
from adapters.nexhealth.refusals import refusal
from adapters.nexhealth.wire import Row, numeric_id
from adapters.page_limits import PageLimits
from adapters.practice_system import SendPermit
from adapters.rows import as_row, readable_id

log = structlog.get_logger(__name__)

Params = Sequence[tuple[str, str]]

API_VERSION = "v3.0.0"
USER_AGENT = "Holdfast/0.1"
"""NexHealth's edge refuses the default user agents of HTTP libraries."""
MAX_CURSOR_LENGTH = 2_000
IGNORED_PARAMETERS_TEXT = "parameters are ignored"
"""In the description of a successful response: NexHealth did not know these parameters."""


class Transport:
    """``scoped`` in its methods: whether the call names our institution. Only calls about endpoints do not."""

    def __init__(self, config: NexHealthConfig, account: Account) -> None:
        self._config = config
        self._account = account
        self._http = HttpClient(config.base_url, config.connect_timeout, config.read_timeout)
        self._limiter = rate_limiter(config.requests_per_second)

    async def close(self) -> None:
        await self._http.close()

    async def read(self, path: str, params: Params = (), *, scoped: bool = True) -> Any:
        """The data of a GET. Raises the errors of ``adapters.errors``, but never OutcomeUnknown: a read without a
        clear answer is Unavailable.
        """
        return (await self._read(path, params, scoped)).get("data")

    async def read_item(self, path: str, item_id: str) -> Row:
        """The row of one item of a collection. Raises NotFound, and Misconfigured if the id is not a number."""
        data = await self.read(f"{path}/{numeric_id(item_id, 'id')}")
        if not isinstance(data, dict) or readable_id(data.get("id")) is None:
            raise Unavailable(f"GET {path}: an answer without the row")
        return data

    async def rows(self, path: str, params: Params = ()) -> list[Row]:
        """Every row of a paged collection. A row that is shown twice is returned as it was shown last."""
        rows_by_id: dict[str, Row] = {}
        limits = PageLimits(path)
        cursor: str | None = None
        while True:
            paging = [("per_page", str(self._config.page_size)), *([("end_cursor", cursor)] if cursor else [])]
            body = await self._read(path, [*params, *paging], True)
            rows = rows_of(body.get("data"), path)
            limits.count_rows(len(rows))
            for row in rows:
                rows_by_id[readable_id(row.get("id")) or f"unreadable {len(rows_by_id)}"] = row
            cursor = _next_cursor(body.get("page_info"), path)
            if cursor is None:
                return list(rows_by_id.values())
            limits.count_cursor(cursor)

    async def write(
        self,
        method: str,
        path: str,
        body: Any,
        params: Params = (),
        *,
        scoped: bool = True,
        permit: SendPermit | None = None,
    ) -> Any:
        """The data in the response to a write. Raises OutcomeUnknown if the response does not prove what happened.

        ``permit``: says until when the write may be sent. Raises Unavailable after that.
        """
        call_name = f"{method} {without_ids(path)}"
        envelope = await self._call(method, path, params, body, scoped, permit)
        if ignored := _ignored_parameters(envelope):
            log.error("nexhealth_ignored_parameters", call=call_name, parameters=ignored)
            raise OutcomeUnknown(f"{call_name}: done, but without the parameters {ignored}, which are ignored")
        return envelope.get("data")

    async def _read(self, path: str, params: Params, scoped: bool) -> Row:
        with reading():
            envelope = await self._call("GET", path, params, None, scoped)
        if ignored := _ignored_parameters(envelope):
            # Without the filter that it ignored, NexHealth returns other people's records.
            reason = f"GET {without_ids(path)}: the parameters {ignored} are ignored. This is a defect in Holdfast"
            raise Misconfigured(reason, code="ignored_parameters")
        return envelope

    async def _call(
        self, method: str, path: str, params: Params, body: Any, scoped: bool, permit: SendPermit | None = None
    ) -> Row:
        query = [("subdomain", self._config.subdomain), *params] if scoped else list(params)
        token = await self._current_token()
        response = await self._send(token, method, path, query, body, permit)
        if response.status_code == 401:
            # NexHealth refused it before processing, so even a write may be sent again with a new token.
            token = await self._current_token(refused_token=token)
            response = await self._send(token, method, path, query, body, permit)
        return envelope_of(response, f"{method} {without_ids(path)}")

    async def _send(
        self, token: str, method: str, path: str, query: Params, body: Any, permit: SendPermit | None
    ) -> httpx.Response:
        call_name = f"{method} {without_ids(path)}"
        await self._limiter.acquire()
        await self._account.limiter.acquire()
        if method == "GET" and path == "/appointments":
            await self._account.calendar_limiter.acquire()
        # Ask last, when nothing but the response is left to wait for: the permit is about the moment of sending.
        send_before = await permit() if permit is not None else None
        started_at = time.monotonic()
        with translated_failures(call_name):
            response = await self._http.request(
                method,
                path,
                params=query,
                content=body,
                headers=_headers(f"Bearer {token}"),
                send_before=send_before,
            )
        log.debug(
            "nexhealth_call",
            call=call_name,
            status=response.status_code,
            seconds=round(time.monotonic() - started_at, 3),
        )
        return response

    async def _current_token(self, *, refused_token: str | None = None) -> str:
        return await self._account.token(self._request_token, refused_token=refused_token)

    async def _request_token(self) -> str:
        call_name = "POST /authenticates"
        try:
            response = await self._http.request("POST", "/authenticates", headers=_headers(self._config.api_key))
        except (NotSent, NoAnswer) as failure:
            raise Unavailable(f"{call_name}: {failure}") from None
        if response.status_code == 401:
            raise NotAuthorized(f"{call_name}: 401: NEXHEALTH_API_KEY is refused", code="401")
        with reading():
            data = envelope_of(response, call_name).get("data")
        token = data.get("token") if isinstance(data, dict) else None
        if not isinstance(token, str) or not is_usable_token(token):
            raise Unavailable(f"{call_name}: {response.status_code} without a token")
        return token


def rows_of(data: Any, path: str) -> list[Row]:
    """The data as rows. An entry that is no row is returned as an empty one. Raises Unavailable if there is no list."""
    if not isinstance(data, list):
        raise Unavailable(f"GET {without_ids(path)}: an answer without rows")
    return [as_row(entry) for entry in data]


def _next_cursor(page_info: Any, path: str) -> str | None:
    """The cursor of the next page, ``None`` after the last page."""
    if not isinstance(page_info, dict):
        raise Unavailable(f"GET {path}: a page that does not say whether it is the last")
    if not page_info.get("has_next_page"):
        return None
    cursor = page_info.get("end_cursor")
    if not isinstance(cursor, str | int) or not 0 < len(str(cursor)) <= MAX_CURSOR_LENGTH:
        raise Unavailable(f"GET {path}: a page that does not say what comes next")
    return str(cursor)


def written_row(data: Any, wrapper: str) -> Row:
    """The row in the response to a write, inside ``wrapper`` or bare. Raises OutcomeUnknown if there is none with an
    id: nothing is proven.
    """
    row = data.get(wrapper, data) if isinstance(data, dict) else None
    if not isinstance(row, dict) or readable_id(row.get("id")) is None:
        raise OutcomeUnknown("an answer without the row that was written")
    return row


def _headers(authorization: str) -> dict[str, str]:
    return {
        "Authorization": authorization,
        "Nex-Api-Version": API_VERSION,
        "Accept": "application/json",
        "User-Agent": USER_AGENT,
    }


def envelope_of(response: httpx.Response, call_name: str) -> Row:
    """The envelope (``code``, ``description``, ``error``, ``data``) of a response that reports success.

    Raises the errors of ``adapters.errors`` for any other response. NexHealth may report failure with a 2xx status:
    then ``code`` is false.
    """
    status = response.status_code
    if status == 204:
        return {}
    if status == 429:
        raise RateLimited(f"{call_name}: 429", retry_after(response))
    if is_unclear(status):
        raise OutcomeUnknown(f"{call_name}: {status}")
    try:
        body = decoded_json(response.content)
    except UnreadableJson:
        body = None
    if not isinstance(body, dict):
        if status == 403:
            raise Unavailable(f"{call_name}: 403 from the vendor's edge, which did not let the call through")
        if 200 <= status < 300:
            raise OutcomeUnknown(f"{call_name}: {status} with an unreadable body")
        raise refusal(call_name, status, [])
    if not 200 <= status < 300 or body.get("code") is False:
        raise refusal(call_name, status, _texts(body.get("error")))
    return body


def _texts(value: Any) -> list[str]:
    return [str(text) for text in value] if isinstance(value, list) else [str(value)] if value else []


def _ignored_parameters(envelope: Row) -> str:
    """Names of the parameters that NexHealth ignored. Empty if there are none."""
    description = " ".join(_texts(envelope.get("description")))
    if IGNORED_PARAMETERS_TEXT not in description:
        return ""
    names = description.partition(IGNORED_PARAMETERS_TEXT)[2]
    return "".join(c for c in names if c.isascii() and (c.isalnum() or c in "_[], ")).strip()[:100] or "unnamed"
