"""Tokens of signed links: what they say, and that nobody else can make or change one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.reference import new_reference
from domain.signed_link import TOKEN_LENGTH, LinkPurpose, read_link, sign_link, token_hash

NOW = datetime(2026, 12, 1, 17, tzinfo=UTC)
ENDS = NOW + timedelta(days=30)
SECRET, NEW_SECRET = b"s" * 32, b"n" * 32
REFERENCE = "bk_" + "abcd2345" * 3 + "aa"
TOKEN = sign_link(LinkPurpose.STATUS, REFERENCE, ENDS, SECRET)


def read(token: str, *secrets: bytes, now: datetime = NOW) -> str | None:
    link = read_link(LinkPurpose.STATUS, token, secrets or (SECRET,), now)
    return link.reference if link else None


def test_token_has_the_reference_until_it_ends() -> None:
    reference = new_reference()
    token = sign_link(LinkPurpose.STATUS, reference, ENDS, SECRET)
    assert read(token) == reference
    assert read(token, now=ENDS - timedelta(seconds=1)) == reference
    assert read(token, now=ENDS) is None


def test_token_is_short_and_has_only_characters_that_no_program_cuts_off() -> None:
    assert len(TOKEN) == TOKEN_LENGTH == 52
    assert TOKEN.isalnum()
    assert TOKEN.lower() == TOKEN


def test_same_link_is_signed_the_same_way_again() -> None:
    assert sign_link(LinkPurpose.STATUS, REFERENCE, ENDS, SECRET) == TOKEN


def test_former_secret_still_reads_while_it_is_in_the_list() -> None:
    assert read(TOKEN, NEW_SECRET, SECRET) == REFERENCE
    assert read(TOKEN, NEW_SECRET) is None


@given(st.integers(0, TOKEN_LENGTH - 1), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_token_with_any_other_character_is_refused(position: int, character: str) -> None:
    changed = TOKEN[:position] + character + TOKEN[position + 1 :]
    assert read(changed) == (REFERENCE if changed == TOKEN else None)


@given(st.text(max_size=80) | st.sampled_from([TOKEN.upper(), TOKEN + "a", TOKEN[:-1], TOKEN + "====", " " + TOKEN]))
def test_what_is_not_a_token_is_refused_without_an_error(text: str) -> None:
    assert read(text) is None


def test_token_for_another_purpose_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = sign_link(2, REFERENCE, ENDS, SECRET)  # type: ignore[arg-type]
    assert read(other) is None


def test_ledger_keeps_a_hash_from_which_the_token_cannot_be_read() -> None:
    assert len(token_hash(TOKEN)) == 64
    assert TOKEN[:8] not in token_hash(TOKEN)
