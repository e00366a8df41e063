"""Saved workflow histories. A workflow change that does not replay them would leave open bookings stuck."""

from pathlib import Path

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from runtime.keys import Keyring
from runtime.plugin import holdfast_plugin
from workflows.booking.workflow import BookingWorkflow

HISTORIES = Path(__file__).parent / "histories"
PAYLOAD_KEY = b"holdfast tests, not a secret key"
NAMESPACE = "default"


async def replay_saved_histories() -> int:
    """Replay every saved history. Returns their number; raises if one does not replay."""
    paths = sorted(HISTORIES.glob("*.json"))
    keyring = Keyring({"test": PAYLOAD_KEY})
    replayer = Replayer(workflows=[BookingWorkflow], plugins=[holdfast_plugin(keyring, NAMESPACE)])
    for path in paths:
        await replayer.replay_workflow(WorkflowHistory.from_json(f"booking-{path.stem}", path.read_text()))
    return len(paths)
