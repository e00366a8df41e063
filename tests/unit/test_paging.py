"""A collection that does not end is not read for ever."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiolimiter import AsyncLimiter

from adapters import page_limits
from adapters.ascend.config import AscendConfig
from adapters.ascend.paging import CollectionReader
from adapters.ascend.transport import Transport as AscendTransport
from adapters.errors import Unavailable
from adapters.nexhealth.account import Account
from adapters.nexhealth.config import NexHealthConfig
from adapters.nexhealth.transport import Transport
from adapters.nexhealth.wire import Row
from adapters.page_limits import PageLimits
from tests.support.garbage import answer


def test_cursor_that_comes_again_ends_the_reading() -> None:
    limits = PageLimits("/rows")
    limits.count_cursor("A")
    limits.count_cursor("B")
    with pytest.raises(Unavailable, match="same page"):
        limits.count_cursor("A")


def test_pages_and_rows_are_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_limits, "MAX_PAGES", 3)
    monkeypatch.setattr(page_limits, "MAX_ROWS", 10)
    limits = PageLimits("/rows")
    for cursor in "ABC":
        limits.count_cursor(cursor)
        limits.count_rows(3)
    with pytest.raises(Unavailable, match="pages"):
        limits.count_cursor("D")
    with pytest.raises(Unavailable, match="rows"):
        limits.count_rows(2)


@asynccontextmanager
async def serving(page: Callable[[int], Any]) -> AsyncIterator[tuple[str, list[int]]]:
    """The URL of a vendor that answers the number of the page with a body, and the numbers of the pages it served."""
    served: list[int] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        is_read = (await reader.readuntil(b"\r\n\r\n")).startswith(b"GET")
        if is_read:
            served.append(len(served) + 1)
        body = page(served[-1]) if is_read else {"access_token": "t", "code": True, "data": {"token": "t"}}
        writer.writelines(answer(200, json.dumps(body).replace("Infinity", "1e999").encode()))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", served
    finally:
        server.close()


async def read_nexhealth(url: str) -> list[Row]:
    config = NexHealthConfig(url, "key", "bright-harbor", "dentrix", ("1",), requests_per_second=1000)
    account = Account()
    account.limiter = AsyncLimiter(1000, 1)
    transport = Transport(config, account)
    try:
        return await transport.rows("/rows")
    finally:
        await transport.close()


async def read_ascend(url: str) -> list[Row]:
    transport = AscendTransport(AscendConfig(url, "client", "secret", "organization", requests_per_second=1000))
    try:
        return await CollectionReader(transport, 500).rows("/rows", fields=("ALL",))
    finally:
        await transport.close()


CURSORS: dict[str, Callable[[int], Any]] = {
    "A, B, A, B": lambda number: "AB"[number % 2],
    "the same": lambda number: "A",
    "none": lambda number: None,
    "a list": lambda number: [],
    "long": lambda number: "x" * 5000,
    "always another": str,
}


@pytest.mark.parametrize("cursor", CURSORS)
async def test_cursors_of_nexhealth_that_lead_nowhere_end(cursor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_limits, "MAX_PAGES", 20)

    def page(number: int) -> Row:
        info = {"has_next_page": True, "end_cursor": CURSORS[cursor](number)}
        return {"code": True, "data": [{"id": number}], "page_info": info}

    async with serving(page) as (url, served):
        with pytest.raises(Unavailable):
            await read_nexhealth(url)
    assert len(served) <= 21


PAGES: dict[str, Callable[[int], Any]] = {
    "always another": lambda number: [{"id": str(number)}] * 500,
    "A, B, A, B": lambda number: [{"id": str(number % 2)}] * 500,
    "without ids": lambda number: [{"id": []}] * 500,
}


@pytest.mark.parametrize("page", PAGES)
async def test_pages_of_ascend_that_do_not_end_are_not_read_for_ever(
    page: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_limits, "MAX_PAGES", 20)
    async with serving(lambda number: {"data": PAGES[page](number)}) as (url, served):
        with pytest.raises(Unavailable):
            await read_ascend(url)
    assert len(served) <= 21


@pytest.mark.parametrize("garbage", [{"id": float("inf")}, {"id": []}, {}, None, 5, "x", [1]])
async def test_row_without_a_readable_id_stops_no_reading(garbage: Any) -> None:
    async with serving(lambda number: {"data": [{"id": "1"}, garbage, {"id": "2"}] if number == 1 else []}) as (url, _):
        rows = await read_ascend(url)
    assert [row.get("id") for row in rows[:2]] == ["1", "2"]
    assert len(rows) == 3
    async with serving(lambda _: {"data": [garbage]}) as (url, _):
        assert len(await read_ascend(url)) == 1
