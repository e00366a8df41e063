"""The base of every value that crosses a boundary."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value.

    Unknown fields are ignored, so that an older worker reads what a newer one wrote; edges that take
    input from people validate with ``extra="forbid"``. Validation errors never quote the input.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
