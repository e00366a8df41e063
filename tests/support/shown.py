"""A booking as its client sees it, once it is as a test waits for."""

import asyncio
from collections.abc import Callable

import pytest

from client.bookings import BookingClient
from domain.booking import BookingView


async def shown(
    bookings: BookingClient, view: BookingView, true: Callable[[BookingView], bool], seconds: float = 30
) -> BookingView:
    for _ in range(int(seconds * 5)):
        view = await bookings.show(view.request_id)
        if true(view):
            return view
        await asyncio.sleep(0.2)
    pytest.fail(f"still {view.status} {view.reason}")
