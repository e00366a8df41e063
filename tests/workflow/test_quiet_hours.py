"""A text that must not go out now goes out later: real server, real activities, hours that end within the test."""

from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from activities import notifications
from activities.connections import Connections
from adapters.ledger import Ledger
from adapters.practice_file import read_practice
from client import BookingClient
from domain.booking import Status
from domain.keyed_hash import KeyedHash
from domain.quiet_hours import QuietHours
from runtime.build import open_messengers
from settings import load_settings
from tests.support.sandbox import SandboxControl
from tests.support.views import wait_for_view
from tests.workflow.test_bookings import a_day, at, request, settled
from workflows.booking.workflow import BookingWorkflow

QUEUE = "quiet-hours"


async def test_a_text_waits_for_the_end_of_quiet_hours_and_an_email_does_not(
    client: Client, control: SandboxControl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "QUIET_HOURS_GRACE", timedelta(0))
    settings, practice = load_settings(), read_practice(load_settings().practice_file)
    end_of, ends = QuietHours.end_after, list[datetime]()

    def end_soon(_: QuietHours, now: datetime, tz: ZoneInfo) -> datetime | None:
        """They end so long after a text first asks for them, however long it took until then."""
        if not ends:
            ends.append(now.astimezone(tz) + timedelta(seconds=6))
        return end_of(QuietHours(begin=(ends[0] - timedelta(hours=1)).time(), end=ends[0].time()), now, tz)

    monkeypatch.setattr(QuietHours, "end_after", end_soon)
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    await ledger.migrate()
    parts = Connections(practice=practice, systems={}, ledger=ledger)
    async with open_messengers(settings, practice.name) as channels:
        telling = notifications.NotificationActivities(parts, channels, KeyedHash(b"k" * 32), None)
        work: list[Callable[..., Any]] = [telling.notify, telling.route_exception]
        async with Worker(client, task_queue=QUEUE, workflows=[BookingWorkflow], activities=work):
            bookings = BookingClient(client, practice, QUEUE)
            view = await settled(bookings, await bookings.submit(request(at(a_day(), 9))))
            assert view.status is Status.CONFIRMED
            view = await wait_for_view(bookings, view, lambda now: len(now.messages) == 2)
            state, told = control.state(), view.messages
            (text,), (email,) = state["texts"], state["emails"]
            assert datetime.fromisoformat(email["at"]) < ends[0] <= datetime.fromisoformat(text["at"])
            assert sorted((message.channel, message.state) for message in told) == [
                ("email", "accepted"),
                ("sms", "accepted"),
            ]
    await ledger.close()
