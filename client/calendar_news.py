"""What a practice system says by itself, passed on to the bookings that it concerns."""

from collections.abc import Collection

from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from workflows.booking.messages import ANSWER_GRACE, ANSWER_TIMEOUT, AppointmentEvent
from workflows.booking.workflow import BookingWorkflow

RPC_TIMEOUT = ANSWER_TIMEOUT + ANSWER_GRACE


async def tell(client: Client, booking: str, news: AppointmentEvent) -> bool:
    """Pass on what was said of an appointment; ``booking`` is a workflow id.

    False where the booking is over. Raises RPCError where the server can't be asked.
    """
    handle = client.get_workflow_handle_for(BookingWorkflow.run, booking)
    try:
        await handle.signal(BookingWorkflow.schedule_changed, news, rpc_timeout=RPC_TIMEOUT)
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            return False
        raise
    return True


async def signal_office_online(client: Client, locations: Collection[str]) -> int:
    """Tell what may wait for these locations' own systems, oldest first; how many there are.

    Raises RPCError where the server can't be asked.
    """
    if not locations:
        return 0
    names = ", ".join(f"'{location}'" for location in locations)
    waiting = f"BookingLocation IN ({names}) AND BookingStatus IN ('received', 'held', 'needs_staff')"
    query = f"WorkflowType = 'BookingWorkflow' AND ExecutionStatus = 'Running' AND {waiting}"
    listed = sorted([found async for found in client.list_workflows(query)], key=lambda found: found.start_time)
    for found in listed:
        handle = client.get_workflow_handle_for(BookingWorkflow.run, found.id)
        try:
            await handle.signal(BookingWorkflow.office_came_online, rpc_timeout=RPC_TIMEOUT)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
    return len(listed)
