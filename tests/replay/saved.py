"""Histories of how bookings went, saved, so that a change that would leave open bookings stuck is seen."""

from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from runtime.codec import Keyring
from runtime.plugin import holdfast_plugin
from workflows.booking.workflow import BookingWorkflow

HISTORIES = Path(__file__).parent / "histories"
KEY = b"holdfast tests, not a secret key"
NAMESPACE = "default"


async def replay_saved() -> int:
    """How many there are; raises where one goes another way than it went."""
    saved = sorted(HISTORIES.glob("*.json"))
    replayer = Replayer(workflows=[BookingWorkflow], plugins=[holdfast_plugin(Keyring({"test": KEY}), NAMESPACE)])
    for path in saved:
        await replayer.replay_workflow(WorkflowHistory.from_json(f"booking-{path.stem}", path.read_text()))
    return len(saved)
