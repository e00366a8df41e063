"""The time of an Ascend appointment. It is never guessed."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.ascend import wire
from adapters.errors import Unavailable
from domain.interval import span

ROW = {"id": 1, "start": "2027-01-12T17:00:00.000Z"}
HOUR = span(datetime(2027, 1, 12, 17, tzinfo=UTC), 60)


@pytest.mark.parametrize("minutes", [None, "an hour", 10**12, 10**30, "9" * 5000])
def test_unusable_duration_is_ignored_in_favor_of_the_end(minutes: Any) -> None:
    row = {**ROW, "duration": minutes}
    assert wire.appointment({**row, "end": "2027-01-12T18:00:00.000Z"}).time == HOUR
    with pytest.raises(Unavailable):
        wire.appointment(row)
