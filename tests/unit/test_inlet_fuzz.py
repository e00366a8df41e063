"""Whatever a practice file or a request contains, it is read or refused in sentences, and soon."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest

from adapters.practice_file import PracticeFileError, read_practice
from client import BadRequest, parse_request
from client.requests import prepare_booking
from devstack import ROOT
from tests.support.fuzz import ROUNDS, hostile_value, mutate, mutate_bytes

NOW = datetime(2026, 12, 1, tzinfo=UTC)
MAX_SECONDS = 2.0
"""For one input. On an idle machine the slowest takes a tenth of it."""
REQUEST = {
    "request_id": "0b1f",
    "location": "oakland",
    "service": "cleaning",
    "start": "2026-12-08T09:00:00-08:00",
    "patient": {
        "first_name": "Ana",
        "last_name": "García",
        "date_of_birth": "1988-04-02",
        "email": "ana@example.com",
        "mobile": "+15105550123",
        "sex": "F",
        "address": {"line1": "1 Main St", "city": "Oakland", "state": "CA", "postal_code": "94601"},
    },
    "guardian": {"first_name": "Bea", "last_name": "García", "date_of_birth": "1960-01-02"},
    "returning": None,
    "note": "",
    "consent": {"email": True, "sms": True},
    "language": "en",
}
VALUES_IN_TOML = ('""', "0", "-1", "1e999", "nan", "true", "[]", "{}", '"99999999999999999h"', "1979-05-27", "12:00:00")


@contextmanager
def within_time() -> Iterator[None]:
    started_at = time.monotonic()
    yield
    assert time.monotonic() - started_at < MAX_SECONDS


def assert_printable(problems: tuple[str, ...]) -> None:
    assert problems
    for problem in problems:
        assert problem.isprintable(), repr(problem)
        assert len(problem) < 1000


def changed_practice_file(rng: Random) -> bytes:
    raw = (ROOT / "practice.toml").read_bytes()
    if rng.random() < 0.5:
        return mutate_bytes(raw, rng)
    lines = raw.decode().splitlines()
    numbers = [number for number, line in enumerate(lines) if " = " in line]
    for number in rng.sample(numbers, 2):
        key = lines[number].partition(" = ")[0]
        lines[number] = f"{key} = {rng.choice((*VALUES_IN_TOML, json.dumps(str(hostile_value(rng)))))}"
    return "\n".join(lines).encode(errors="surrogatepass")


@pytest.mark.timeout(600)
def test_any_practice_file_is_read_or_refused_in_sentences(tmp_path: Path) -> None:
    file = tmp_path / "practice.toml"
    read = refused = 0
    for seed in range(ROUNDS):
        file.write_bytes(changed_practice_file(Random(seed)))
        with within_time():
            try:
                read_practice(file)
                read += 1
            except PracticeFileError as error:
                assert_printable(error.problems)
                refused += 1
    assert min(read, refused) > ROUNDS / 200  # both happen, or the fuzz would show nothing


@pytest.mark.timeout(600)
def test_any_request_is_taken_or_refused_in_sentences() -> None:
    practice = read_practice(ROOT / "practice.toml")
    taken = refused = 0
    for seed in range(ROUNDS * 5):
        rng = Random(seed)
        raw = json.dumps(mutate(REQUEST, rng)).encode()
        if rng.random() < 0.3:
            raw = mutate_bytes(raw, rng)
        with within_time():
            try:
                prepare_booking(parse_request(raw), practice, NOW)
                taken += 1
            except BadRequest as error:
                assert_printable(error.problems)
                refused += 1
    assert min(taken, refused) > ROUNDS / 200
