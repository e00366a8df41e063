"""Signal bookings about what a practice system reports."""

from collections.abc import Collection

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from workflows.booking.contracts import ANSWER_GRACE, ANSWER_TIMEOUT, AppointmentEvent, SignalName
from workflows.booking.workflow import BookingWorkflow

RPC_TIMEOUT = ANSWER_TIMEOUT + ANSWER_GRACE


async def signal_appointment_event(client: Client, workflow_id: str, event: AppointmentEvent) -> bool:
    """Returns whether the booking is still open. Raises RPCError when the server does not take the signal."""
    handle = client.get_workflow_handle_for(BookingWorkflow.run, workflow_id)
    try:
        await handle.signal(SignalName.SCHEDULE_CHANGED, event, rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


async def signal_office_online(client: Client, locations: Collection[str]) -> int:
    """Tell every booking at these locations that may wait for the office system, the oldest first.

    ``locations``: ids of the practice file. Returns how many bookings there are. Raises RPCError when the server does
    not answer.
    """
    if not locations:
        return 0
    names = ", ".join(f"'{location}'" for location in locations)
    may_wait = f"BookingLocation IN ({names}) AND BookingStatus IN ('received', 'held', 'needs_staff')"
    query = f"WorkflowType = 'BookingWorkflow' AND ExecutionStatus = 'Running' AND {may_wait}"
    executions = [execution async for execution in client.list_workflows(query)]
    for execution in sorted(executions, key=lambda execution: execution.start_time):
        handle = client.get_workflow_handle_for(BookingWorkflow.run, execution.id)
        try:
            await handle.signal(SignalName.OFFICE_CAME_ONLINE, rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
    return len(executions)
