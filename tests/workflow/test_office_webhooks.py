"""NexHealth's webhooks may be repeated, late, lost or forged."""

import httpx
import pytest

from client import DeskClient
from devstack import DevStack
from tests.support.bookings import wait_for_confirmed
from tests.support.office_bookings import next_free_start, settle_and_read_office, submit_at_office
from tests.support.sandbox import SandboxControl


@pytest.mark.parametrize("fault_kind", ["twice", "late", "lost", "forged"])
async def test_booking_lands_once_whatever_happens_to_its_webhook(
    bookings: DeskClient, control: SandboxControl, fault_kind: str
) -> None:
    control.fault(system="webhook", kind=fault_kind, path="appointment_insertion", seconds=3)
    view = await wait_for_confirmed(bookings, await submit_at_office(bookings, "boston", next_free_start("boston")))
    assert len(await settle_and_read_office(control, view)) == 1


async def test_webhook_that_arrives_before_the_write_is_answered_is_not_lost(
    bookings: DeskClient, control: SandboxControl
) -> None:
    control.fault(system="nexhealth", kind="webhook_first", method="POST", path="^/appointments")
    view = await wait_for_confirmed(bookings, await submit_at_office(bookings, "boston", next_free_start("boston")))
    assert len(await settle_and_read_office(control, view)) == 1


async def test_webhook_with_a_wrong_signature_is_rejected(stack: DevStack, control: SandboxControl) -> None:
    body = b'{"event_name": "appointment_insertion.failed", "subdomain": "x", "data": {"appointment": {"id": 1}}}'
    response = httpx.post(
        f"{stack.environment['PUBLIC_BASE_URL']}/webhooks/nexhealth",
        content=body,
        headers={"timestamp": "2026-12-01T00:00:00Z", "signature": "0" * 64},
        trust_env=False,
    )
    assert response.status_code == 401
