"""When an appointment of Ascend's takes place; one that does not say is not guessed at."""

from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.ascend import wire
from adapters.errors import Unavailable
from domain.interval import span

ROW = {"id": 1, "start": "2027-01-12T17:00:00.000Z"}
HOUR = span(datetime(2027, 1, 12, 17, tzinfo=UTC), 60)


@pytest.mark.parametrize("minutes", [None, "an hour", 10**12, 10**30, "9" * 5000])
def test_a_duration_that_is_none_or_beyond_any_calendar_leaves_the_end_to_say(minutes: Any) -> None:
    row = {**ROW, "duration": minutes}
    assert wire.appointment({**row, "end": "2027-01-12T18:00:00.000Z"}).time == HOUR
    with pytest.raises(Unavailable):
        wire.appointment(row)
