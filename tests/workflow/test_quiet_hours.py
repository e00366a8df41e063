"""Quiet hours delay text messages. Real server and activities; the quiet hours end within the test."""

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
from activities.slots import SlotActivities
from activities.status_links import StatusLinks
from adapters.ledger import Ledger
from adapters.practice_file import read_practice
from client import DeskClient
from domain.booking import Status
from domain.keyed_hash import KeyedHash
from domain.quiet_hours import QuietHours
from runtime.build import open_messengers
from settings import load_settings
from tests.support.bookings import at, build_request, next_free_day, submit_and_wait
from tests.support.sandbox import SandboxControl
from tests.support.views import wait_for_view
from workflows.booking.workflow import BookingWorkflow

TASK_QUEUE = "quiet-hours"


async def test_text_message_waits_for_the_end_of_quiet_hours_and_email_does_not(
    client: Client, control: SandboxControl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notifications, "AWAKE_AFTER_ACTION", timedelta(0))
    settings, practice = load_settings(), read_practice(load_settings().practice_file)
    real_end, end_times = QuietHours.end_after, list[datetime]()

    def end_soon(_: QuietHours, now: datetime, tz: ZoneInfo) -> datetime | None:
        """They end six seconds after a text message first asks for them, however late that is."""
        if not end_times:
            end_times.append(now.astimezone(tz) + timedelta(seconds=6))
        return real_end(QuietHours(begin=(end_times[0] - timedelta(hours=1)).time(), end=end_times[0].time()), now, tz)

    monkeypatch.setattr(QuietHours, "end_after", end_soon)
    ledger = Ledger(f"sqlite:///{tmp_path}/ledger.db")
    await ledger.migrate()
    connections = Connections(practice=practice, systems={}, ledger=ledger)
    no_links = StatusLinks(ledger, b"k" * 32, "")
    async with open_messengers(settings, practice.name) as channels:
        messaging = notifications.NotificationActivities(connections, channels, KeyedHash(b"k" * 32), no_links)
        slots = SlotActivities(connections, KeyedHash(b"k" * 32))
        activities: list[Callable[..., Any]] = [messaging.notify, messaging.route_exception, slots.claim_slot]
        async with Worker(client, task_queue=TASK_QUEUE, workflows=[BookingWorkflow], activities=activities):
            bookings = DeskClient(client, practice, TASK_QUEUE)
            view = await submit_and_wait(bookings, build_request(at(next_free_day(), 9)))
            assert view.status is Status.CONFIRMED
            view = await wait_for_view(bookings, view, lambda view: len(view.messages) == 2)
            state = control.state()
            (text,), (email,) = state["texts"], state["emails"]
            assert datetime.fromisoformat(email["at"]) < end_times[0] <= datetime.fromisoformat(text["at"])
            assert sorted((message.channel, message.state) for message in view.messages) == [
                ("email", "accepted"),
                ("sms", "accepted"),
            ]
    await ledger.close()
