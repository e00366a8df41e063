"""Histories of how bookings went, saved, so that a change that would leave open bookings stuck is seen."""

import os
from pathlib import Path

from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer

from demo.stack import ROOT
from runtime.codec import Keyring
from runtime.plugin import holdfast_plugin
from workflows.booking import BookingWorkflow

HISTORIES = ROOT / "tests" / "replay" / "histories"


async def test_saved_histories_replay(client: Client) -> None:
    await _record_if_asked(client)
    saved = sorted(HISTORIES.glob("*.json"))
    assert saved
    keys = Keyring({"test": b"holdfast tests, not a secret key"})
    replayer = Replayer(workflows=[BookingWorkflow], plugins=[holdfast_plugin(keys, client.namespace)])
    for path in saved:
        await replayer.replay_workflow(WorkflowHistory.from_json(f"booking-{path.stem}", path.read_text()))


async def _record_if_asked(client: Client) -> None:
    """``RECORD_HISTORIES=1`` saves what this session ran, a history for each way a booking went."""
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
