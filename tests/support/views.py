"""Waits until a booking's client sees what a test expects."""

import asyncio
from collections.abc import Callable

import pytest

from client import DeskClient
from domain.booking import BookingView

POLL_SECONDS = 0.2


async def wait_for_view(
    bookings: DeskClient, view: BookingView, condition: Callable[[BookingView], bool], seconds: float = 30
) -> BookingView:
    """The first view that meets the condition. Fails the test after about this many seconds."""
    for _ in range(int(seconds / POLL_SECONDS)):
        view = await bookings.show(view.request_id)
        if condition(view):
            return view
        await asyncio.sleep(POLL_SECONDS)
    pytest.fail(f"still {view.status} {view.reason}")
