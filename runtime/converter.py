"""How values become payloads: JSON by pydantic, with errors that never quote the value they could not read."""

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


class _ValueHidingConverter(PydanticJSONPlainPayloadConverter):
    """Reports where validation failed and how, without the value, which may name a patient."""

    def from_payload(self, payload: Payload, type_hint: type | None = None) -> Any:
        try:
            return super().from_payload(payload, type_hint)
        except ValidationError as error:
            problems = [{"loc": list(e["loc"]), "type": e["type"]} for e in error.errors(include_input=False)]
            raise create_payload_validation_error(problems) from None


class HoldfastPayloadConverter(CompositePayloadConverter):
    """The SDK's default converters, with the JSON one replaced."""

    def __init__(self) -> None:
        json_converter = _ValueHidingConverter()
        super().__init__(
            *(
                json_converter if isinstance(converter, JSONPlainPayloadConverter) else converter
                for converter in DefaultPayloadConverter.default_encoding_payload_converters
            )
        )


def data_converter(codec: PayloadCodec) -> DataConverter:
    """Also encrypts failure messages and stack traces."""
    return DataConverter(
        payload_converter_class=HoldfastPayloadConverter,
        failure_converter_class=DefaultFailureConverterWithEncodedAttributes,
        payload_codec=codec,
    )
