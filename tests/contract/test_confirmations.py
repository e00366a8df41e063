"""A confirmation counts by what stands in the calendar afterwards, whatever the answer to the call was."""

import asyncio
from collections.abc import Callable

import pytest

from adapters.errors import NotFound, Refused
from domain.calendar import Appointment, AppointmentStatus
from tests.support.polling import wait_until
from tests.support.practice_systems import PracticeUnderTest, practice_under_test
from tests.support.sandbox import SandboxControl


async def confirm_while(
    practice: PracticeUnderTest, edit: Callable[[PracticeUnderTest, Appointment], None]
) -> Appointment:
    """Confirm a hold, while the desk edits it between our reading and our write."""
    hold = practice.hold()
    placed = await practice.place_landed(hold)
    practice.sandbox.fault(
        system=practice.sandbox_system, method=practice.update_method, kind="hold_before", seconds=60
    )
    confirmation = asyncio.create_task(practice.system.confirm_hold(placed.id, hold))
    await wait_until(lambda: practice.sandbox.held())
    edit(practice, placed)
    practice.sandbox.release()
    return await confirmation


def desk_confirms(practice: PracticeUnderTest, placed: Appointment) -> None:
    practice.set_status(placed.id, "confirmed")


def desk_takes_it_over(practice: PracticeUnderTest, placed: Appointment) -> None:
    practice.desk(do="move", id=placed.id, note="Called, comes with her mother")
    practice.set_status(placed.id, "confirmed")


async def test_visit_that_the_desk_confirmed_a_moment_earlier_is_confirmed(practice: PracticeUnderTest) -> None:
    assert (await confirm_while(practice, desk_confirms)).status is AppointmentStatus.CONFIRMED


async def test_visit_that_the_desk_took_over_a_moment_earlier_is_not_ours(sandbox: SandboxControl) -> None:
    with practice_under_test(sandbox, "nexhealth dentrix") as dentrix:
        with pytest.raises(Refused) as refused:
            await confirm_while(dentrix, desk_takes_it_over)
        assert refused.value.code == "reference_gone"
        await dentrix.system.close()


async def test_confirmation_that_was_carried_out_and_refused_is_done(practice: PracticeUnderTest) -> None:
    hold = practice.hold()
    placed = await practice.place_landed(hold)
    practice.sandbox.fault(
        system=practice.sandbox_system, method=practice.update_method, kind="status_after", status=400
    )
    assert (await practice.system.confirm_hold(placed.id, hold)).status is AppointmentStatus.CONFIRMED


async def test_confirmation_that_was_refused_and_is_not_there_stays_refused(practice: PracticeUnderTest) -> None:
    hold = practice.hold()
    placed = await practice.place_landed(hold)
    practice.sandbox.fault(
        system=practice.sandbox_system, method=practice.update_method, kind="status_before", status=400
    )
    with pytest.raises(Refused) as refused:
        await practice.system.confirm_hold(placed.id, hold)
    assert not isinstance(refused.value, NotFound)


async def test_row_without_a_status_is_confirmed(sandbox: SandboxControl) -> None:
    with practice_under_test(sandbox, "ascend") as practice:
        hold = practice.hold()
        placed = await practice.place_landed(hold)
        practice.desk(do="remove_fields", id=placed.id, without=["status"])
        assert (await practice.system.confirm_hold(placed.id, hold)).status is AppointmentStatus.CONFIRMED
        await practice.system.close()
