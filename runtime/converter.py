"""How values become payloads: pydantic JSON, with errors that never quote what they could not read."""

from typing import Any

from pydantic import ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.contrib.pydantic import PydanticJSONPlainPayloadConverter
from temporalio.converter import (
    CompositePayloadConverter,
    DataConverter,
    DefaultFailureConverterWithEncodedAttributes,
    DefaultPayloadConverter,
    JSONPlainPayloadConverter,
    PayloadCodec,
    create_payload_validation_error,
)


class _QuietPydanticConverter(PydanticJSONPlainPayloadConverter):
    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        try:
            return super().from_payload(payload, type_hint)
        except ValidationError as refusal:
            where = [{"loc": list(e["loc"]), "type": e["type"]} for e in refusal.errors(include_input=False)]
            raise create_payload_validation_error(where) from None


class HoldfastPayloadConverter(CompositePayloadConverter):
    def __init__(self) -> None:
        quiet = _QuietPydanticConverter()
        super().__init__(
            *(
                quiet if isinstance(converter, JSONPlainPayloadConverter) else converter
                for converter in DefaultPayloadConverter.default_encoding_payload_converters
            )
        )


def data_converter(codec: PayloadCodec) -> DataConverter:
    """Failure messages and stack traces are encrypted like everything else."""
    return DataConverter(
        payload_converter_class=HoldfastPayloadConverter,
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
        payload_codec=codec,
    )
