"""How values become payloads: JSON by pydantic, with errors that never quote the value they could not read."""

from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    EncodingPayloadConverter,
    JSONPlainPayloadConverter,
    PayloadCodec,
    PayloadConverter,
)

from runtime.codec import DecryptionError
from workflows.shared.inbound import PROBLEM, UNREADABLE_ENCODING

MAX_PROBLEMS = 5


class UnreadablePayload(ValueError):
    """A payload that is not what was expected. Names the fields and what is wrong with them, never a value.

    It is not a FailureError of the SDK: such an error, raised for an activity's result, would end the booking. This one
    fails the workflow task, which is repeated until a worker can read the payload.
    """


class _ValueHidingConverter(PydanticJSONPlainPayloadConverter):
    """Reports where validation failed and how, without the value, which may name a patient."""

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        try:
            return super().from_payload(payload, type_hint)
        except ValidationError as error:
            problems = [f"{_path(e['loc'])}: {e['type']}" for e in error.errors(include_input=False)]
            raise UnreadablePayload("; ".join(problems[:MAX_PROBLEMS])) from None


def _path(location: Sequence[int | str]) -> str:
    """The field where validation failed. A part that is no name of ours may be anything that the sender wrote."""
    return ".".join(str(part) if str(part).isidentifier() else "?" for part in location) or "payload"


class _UnreadableConverter(EncodingPayloadConverter):
    """Raises for what the codec could not decrypt."""

    @property
    def encoding(self) -> str:
        return UNREADABLE_ENCODING.decode()

    def to_payload(self, value: Any) -> Payload | None:
        return None

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        raise DecryptionError(payload.metadata.get(PROBLEM, b"").decode(errors="replace"))


class HoldfastPayloadConverter(CompositePayloadConverter):
    """The SDK's default converters, with the JSON one replaced."""

    def __init__(self) -> None:
        json_converter = _ValueHidingConverter()
        super().__init__(
            *(
                json_converter if isinstance(converter, JSONPlainPayloadConverter) else converter
                for converter in DefaultPayloadConverter.default_encoding_payload_converters
            ),
            _UnreadableConverter(),
        )


class _FailureConverter(DefaultFailureConverterWithEncodedAttributes):
    """The SDK's converter goes on without a message that it cannot read. A booking must not guess what failed."""

    def from_failure(self, failure: Failure, payload_converter: PayloadConverter) -> BaseException:
        if failure.encoded_attributes.metadata.get("encoding") == UNREADABLE_ENCODING:
            payload_converter.from_payload(failure.encoded_attributes)  # raises
        return super().from_failure(failure, payload_converter)


class _DataConverter(DataConverter):
    """Has no external storage, and never looks for any.

    The SDK fails the workflow task at a payload that claims to be stored elsewhere, before the codec sees it. Here such
    a payload is one like any other, and the codec refuses it.
    """

    async def _decode_reference_payload_sequence(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)

    async def _external_retrieve_payload_sequence(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


def data_converter(codec: PayloadCodec) -> DataConverter:
    """Also encrypts failure messages and stack traces."""
    return _DataConverter(
        payload_converter_class=HoldfastPayloadConverter,
        failure_converter_class=_FailureConverter,
        payload_codec=codec,
    )
