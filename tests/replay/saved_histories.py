"""Saved workflow histories. A workflow change that does not replay them would leave open bookings stuck."""

import json
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
        await replayer.replay_workflow(_read_history(path))
    return len(paths)


def _read_history(path: Path) -> WorkflowHistory:
    """A history with the workflow id of its first event: a booking checks that its request is its own."""
    text = path.read_text()
    started = json.loads(text)["events"][0]["workflowExecutionStartedEventAttributes"]
    return WorkflowHistory.from_json(started["workflowId"], text)
