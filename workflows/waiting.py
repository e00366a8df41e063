"""Waiting with a deadline."""

from collections.abc import Callable
from datetime import datetime, timedelta

from temporalio import workflow


async def happens_before(deadline: datetime, condition: Callable[[], bool], summary: str) -> bool:
    """Whether the condition came true by then."""
    left = max(deadline - workflow.now(), timedelta(0))
    try:
        await workflow.wait_condition(condition, timeout=left, timeout_summary=summary)
    except TimeoutError:
        return False
    return True


async def sleep_until(moment: datetime, summary: str) -> None:
    await workflow.sleep(max(moment - workflow.now(), timedelta(0)), summary=summary)
