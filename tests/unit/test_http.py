"""How long the other side may have us wait."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from adapters.http import LONGEST_REST, retry_after


def in_days(days: int) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(days=days), usegmt=True)


@pytest.mark.parametrize(
    ("header", "rest"),
    [
        ("7", timedelta(seconds=7)),
        ("86400", LONGEST_REST),
        ("9" * 400, LONGEST_REST),
        (in_days(1), LONGEST_REST),
        (in_days(-1), timedelta(0)),
        ("soon", None),
    ],
)
def test_we_rest_as_long_as_we_are_asked_to_but_never_more_than_an_hour(header: str, rest: timedelta | None) -> None:
    assert retry_after(httpx.Response(429, headers={"retry-after": header})) == rest
