"""What comes into a workflow from outside: whether it can be read, and whether it was encrypted.

The codec never fails a workflow task for a payload that it cannot decrypt. It hands over a marked payload instead, and
whoever reads the payload decides. See docs/decisions/0024-set-aside-what-cannot-be-read.md.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

with workflow.unsafe.imports_passed_through():
    from domain.booking import SetAsideCause

UNREADABLE_ENCODING = b"holdfast/unreadable"
"""The encoding of the payload that stands for one that cannot be decrypted."""
PROBLEM = "holdfast-problem"
"""Metadata of an unreadable payload: why, without its content."""
PLAIN = "holdfast-plain"
"""Metadata of a payload that came without encryption. The codec alone sets it."""
MAX_MESSAGE_BYTES = 16 * 1024
"""Nobody decides in more than this. The largest honest message is well below."""

PLAIN_DECISIONS_FUNCTION = "holdfast_accepts_plain_decisions"
"""The function by which a worker tells its workflows the setting PLAIN_DECISIONS."""


class Message(NamedTuple):
    """The argument of a signal, or why it was not read."""

    value: Any = None
    is_plain: bool = False
    cause: SetAsideCause | None = None


def accepts_plain_decisions() -> bool:
    """Whether this worker accepts decisions that are not encrypted, or do not name what they decide.

    Another worker, or the same one later, may say otherwise. So what follows from it must be recorded, or must never
    replay.
    """
    return bool(workflow.extern_functions()[PLAIN_DECISIONS_FUNCTION]())


def read_message(args: Sequence[RawValue], hint: type | None, plain_hint: type | None = None) -> Message:
    """Read the one argument of a signal. Never raises.

    ``hint``: the argument's type; ``None``: the signal has no argument. ``plain_hint``: the type of an argument that
    came without encryption; ``None``: such an argument is not accepted.
    """
    if len(args) != (0 if hint is None else 1):
        return Message(cause=SetAsideCause.WRONG_SHAPE)
    if hint is None:
        return Message()
    payload = args[0].payload
    is_plain = PLAIN in payload.metadata
    is_unreadable = payload.metadata.get("encoding") == UNREADABLE_ENCODING
    if len(payload.data) > MAX_MESSAGE_BYTES:
        return Message(is_plain=is_plain, cause=SetAsideCause.TOO_LARGE)
    if is_plain and plain_hint is None:
        return Message(is_plain=True, cause=SetAsideCause.NOT_ENCRYPTED)
    if is_unreadable and not is_plain:
        return Message(cause=SetAsideCause.UNREADABLE)
    expected = plain_hint if is_plain and plain_hint is not None else hint
    try:
        content = Payload.FromString(payload.data) if is_unreadable else payload
        value: Any = workflow.payload_converter().from_payload(content, expected)
    except Exception:  # whatever it is, it comes from outside and must not fail a workflow task
        return Message(is_plain=is_plain, cause=SetAsideCause.WRONG_SHAPE)
    if not isinstance(value, expected):
        return Message(is_plain=is_plain, cause=SetAsideCause.WRONG_SHAPE)
    return Message(value, is_plain)
