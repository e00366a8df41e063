"""One call as an endpoint sees it, and the table row that says which calls an endpoint takes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sandbox.nexhealth.envelope import Reply, missing
from sandbox.nexhealth.parameters import Parameters
from sandbox.nexhealth.service import NexHealth
from sandbox.store import Row


@dataclass(frozen=True)
class Call:
    """``institution`` is that of the subdomain, ``place`` that of ``location_id``, where the call names them."""

    params: Parameters
    ids: dict[str, int]
    body: Row
    institution: Row | None
    place: Row | None
    authorization: str

    @property
    def of(self) -> Row:
        assert self.institution is not None
        return self.institution

    @property
    def at(self) -> Row:
        assert self.place is not None
        return self.place

    def part(self, name: str) -> Row:
        """A wrapped part of the body. Raises Answer 400 where the wrapper is missing."""
        found = self.body.get(name)
        if not isinstance(found, dict):
            raise missing(name)
        return found


@dataclass(frozen=True)
class Endpoint:
    """``needs`` and ``takes`` name query parameters; one in neither is ignored, and the answer says so.

    ``is_open``: the only one that is called without a token.
    """

    method: str
    path: str
    work: Callable[[NexHealth, Call], Reply]
    needs: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    is_open: bool = False


def required(given: Row, names: tuple[str, ...], prefix: str) -> None:
    for name in names:
        if given.get(name) in (None, ""):
            raise missing(f"{prefix}[{name}]")


def identifier(given: Any) -> int:
    """An id in a body. Raises ValueError for what is none."""
    if isinstance(given, bool) or not isinstance(given, int | str):
        raise ValueError("id")
    return int(given)
