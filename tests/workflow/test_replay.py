"""Saved histories replay. On request, a test session saves the histories of its own bookings."""

import os
from pathlib import Path

from temporalio.client import Client

from tests.replay.saved_histories import HISTORIES, replay_saved_histories
from workflows.booking.workflow import BookingWorkflow


async def test_saved_histories_replay(client: Client) -> None:
    await _record_if_requested(client)
    assert await replay_saved_histories() > 0


async def _record_if_requested(client: Client) -> None:
    """``RECORD_HISTORIES=1`` replaces the saved histories: one for each location, service, status and reason."""
    if not os.environ.get("RECORD_HISTORIES"):
        return
    HISTORIES.mkdir(exist_ok=True)
    for path in HISTORIES.glob("*.json"):
        path.unlink()
    async for execution in client.list_workflows("WorkflowType = 'BookingWorkflow' AND TaskQueue = 'bookings'"):
        handle = client.get_workflow_handle(execution.id)
        view = await handle.query(BookingWorkflow.view)
        path = Path(HISTORIES / f"{view.location}-{view.service}-{view.status}-{view.reason or 'plain'}.json")
        if not path.exists():
            path.write_text((await handle.fetch_history()).to_json())
