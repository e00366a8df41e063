"""Encrypts and decrypts for Temporal's UI, in a process of its own.

Whoever calls the codec endpoint decides how much work there is. Here it delays no booking, and a call that takes too
long ends with the process.
"""

import asyncio
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

import anyio
import anyio.to_process
from google.protobuf.json_format import MessageToDict, ParseDict, ParseError
from temporalio.api.common.v1 import Payloads

from runtime.codec import KEY_ID, DecryptionError, EncryptionCodec
from runtime.keys import Keyring

MAX_PAYLOADS = 1000
"""In one call. Temporal's UI asks for a page of a history at a time."""
MAX_SECONDS = 10
MAX_WAITING = 8
"""Calls that may wait for the one that runs."""


class Direction(StrEnum):
    DECODE = "decode"
    ENCODE = "encode"


class CodecBusy(Exception):
    """Too many calls wait, or this one took too long."""


class BadPayloads(Exception):
    """What was sent cannot be converted. The text is the kind of problem."""


class Converted(NamedTuple):
    body: bytes
    payloads: int
    key_ids: tuple[str, ...]


class CodecProcess:
    """Starts its process with the first call. Without a call for five minutes, the process ends."""

    def __init__(self, keys: Mapping[str, bytes], namespace: str) -> None:
        self._keys = dict(keys)
        self._namespace = namespace
        self._one_at_a_time = anyio.CapacityLimiter(1)

    async def convert(self, direction: Direction, body: bytes) -> Converted:
        """Raises BadPayloads and CodecBusy."""
        if self._one_at_a_time.statistics().tasks_waiting >= MAX_WAITING:
            raise CodecBusy
        try:
            with anyio.fail_after(MAX_SECONDS):
                try:
                    return await self._run(direction, body)
                except anyio.BrokenWorkerProcess:  # it ended between two calls; a new one is started
                    return await self._run(direction, body)
        except (TimeoutError, anyio.BrokenWorkerProcess):
            raise CodecBusy from None

    async def _run(self, direction: Direction, body: bytes) -> Converted:
        return await anyio.to_process.run_sync(
            convert_payloads,
            direction,
            body,
            self._keys,
            self._namespace,
            cancellable=True,  # a call that takes too long ends its process
            limiter=self._one_at_a_time,
        )


def convert_payloads(direction: Direction, body: bytes, keys: Mapping[str, bytes], namespace: str) -> Converted:
    """Runs in the process of its own. Raises BadPayloads."""
    codec = EncryptionCodec(Keyring(keys), namespace)
    convert = codec.decode if direction is Direction.DECODE else codec.encode
    try:
        content = json.loads(body)
        if len(content["payloads"]) > MAX_PAYLOADS:
            raise BadPayloads(f"At most {MAX_PAYLOADS} payloads are allowed.")
        received = ParseDict(content, Payloads(), ignore_unknown_fields=True).payloads
        answer = Payloads(payloads=asyncio.run(convert(received)))
    except (ParseError, ValueError, TypeError, KeyError, RecursionError, DecryptionError) as error:
        raise BadPayloads(type(error).__name__) from None
    key_ids = sorted({payload.metadata.get(KEY_ID, b"").decode(errors="replace") for payload in received})
    return Converted(json.dumps(MessageToDict(answer)).encode(), len(received), tuple(key_ids))
