"""Which payload keys the bookings in Temporal are encrypted with: read from their histories, without decrypting."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError, RPCStatusCode

from runtime.codec import ENCODING, KEY_ID

BOOKINGS = "WorkflowType = 'BookingWorkflow'"
MAX_CONCURRENT_READS = 8
NOT_ENCRYPTED = ""
"""Stands for a key id."""


@dataclass
class KeyUsage:
    open_bookings: Counter[str] = field(default_factory=Counter)
    """How many bookings that still run have payloads under a key, by key id."""
    closed_bookings: Counter[str] = field(default_factory=Counter)
    """The same for bookings that have ended and that the namespace retains."""
    bookings: int = 0

    @property
    def key_ids(self) -> list[str]:
        return sorted({*self.open_bookings, *self.closed_bookings} - {NOT_ENCRYPTED})


async def read_key_usage(client: Client, report_progress: Callable[[int, int], None]) -> KeyUsage:
    """Read every booking that Temporal has. Takes a call for each page of a history.

    ``report_progress`` gets how many are read, and of how many. Raises RPCError.
    """
    total = (await client.count_workflows(BOOKINGS)).count
    usage, slots = KeyUsage(), asyncio.Semaphore(MAX_CONCURRENT_READS)

    async def read(execution: WorkflowExecution) -> None:
        async with slots:
            key_ids = await _key_ids_of(client, execution)
        counts = usage.open_bookings if execution.close_time is None else usage.closed_bookings
        counts.update(key_ids)
        usage.bookings += 1
        report_progress(usage.bookings, max(total, usage.bookings))

    async for batch in _batches(client.list_workflows(BOOKINGS)):
        await asyncio.gather(*(read(execution) for execution in batch))
    return usage


async def _batches(
    executions: AsyncIterator[WorkflowExecution], size: int = 100
) -> AsyncIterator[list[WorkflowExecution]]:
    """Batches, so that a hundred thousand bookings are not in memory at once."""
    batch: list[WorkflowExecution] = []
    async for execution in executions:
        batch.append(execution)
        if len(batch) == size:
            yield batch
            batch = []
    yield batch


async def _key_ids_of(client: Client, execution: WorkflowExecution) -> set[str]:
    key_ids = set(_key_ids_in(execution.raw_info.memo))
    handle = client.get_workflow_handle(execution.id, run_id=execution.run_id)
    try:
        async for event in handle.fetch_history_events():
            key_ids.update(_key_ids_in(event))
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:  # its retention has just ended
            raise
    return key_ids


def _key_ids_in(message: Message) -> Iterator[str]:
    """The key id of every payload in this message, however deep."""
    if isinstance(message, Payload):
        is_encrypted = message.metadata.get("encoding") == ENCODING
        yield message.metadata.get(KEY_ID, b"").decode(errors="replace") if is_encrypted else NOT_ENCRYPTED
        return
    for descriptor, value in message.ListFields():
        if descriptor.type == descriptor.TYPE_MESSAGE and descriptor.name not in ("search_attributes",):
            for each in _messages_in(value):
                yield from _key_ids_in(each)


def _messages_in(value: Any) -> list[Message]:
    """A field's messages: one, a list of them, or the values of a map."""
    if isinstance(value, Message):
        return [value]
    items = value.values() if hasattr(value, "values") else value
    return [item for item in items if isinstance(item, Message)]
