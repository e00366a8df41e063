"""The base class of every value that crosses a boundary."""

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """An immutable value.

    Unknown fields are ignored, so an older worker can read what a newer worker wrote. Edges that take
    input from people forbid extra fields instead. Validation errors never quote the input.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)
