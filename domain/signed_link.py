"""Signed tokens in links to patients. A token has a booking's reference, a purpose and an end, and nobody's name."""

import base64
import binascii
import hashlib
import hmac
import math
from collections.abc import Sequence
from datetime import UTC, datetime
from enum import IntEnum
from typing import NamedTuple

from domain.reference import REFERENCE_PREFIX

SECONDS_PER_HOUR = 3600
_REFERENCE_BYTES, _HOURS_BYTES, _MAC_BYTES = 16, 3, 12
_TOKEN_BYTES = _REFERENCE_BYTES + 1 + _HOURS_BYTES + _MAC_BYTES
TOKEN_LENGTH = math.ceil(_TOKEN_BYTES * 8 / 5)
"""Characters. Lowercase base32 has no character that a mail or text program could take for the end of a link."""


class LinkPurpose(IntEnum):
    """What a link is for. A token for one purpose is worth nothing for another."""

    STATUS = 1
    """To see where a booking stands, and change nothing."""


class SignedLink(NamedTuple):
    reference: str
    expires_at: datetime


def sign_link(purpose: LinkPurpose, reference: str, expires_at: datetime, secret: bytes) -> str:
    """The token. The same arguments give the same token, so a message that is sent again has the same link.

    The end is rounded up to a full hour. Raises ValueError when ``reference`` is none of ours.
    """
    hours = math.ceil(expires_at.timestamp() / SECONDS_PER_HOUR)
    content = _decode(reference.removeprefix(REFERENCE_PREFIX)) + bytes([purpose]) + hours.to_bytes(_HOURS_BYTES)
    if len(content) != _TOKEN_BYTES - _MAC_BYTES:
        raise ValueError("the reference is not one of ours")
    return _encode(content + _mac(content, secret))


def read_link(purpose: LinkPurpose, token: str, secrets: Sequence[bytes], now: datetime) -> SignedLink | None:
    """What the token says, if one of our secrets signed it for this purpose and it has not ended; else ``None``."""
    try:
        raw = _decode(token)
    except ValueError:
        return None
    content, mac = raw[:-_MAC_BYTES], raw[-_MAC_BYTES:]
    # The second check refuses other spellings of the same bytes: upper case, or other bits after the last byte.
    if len(raw) != _TOKEN_BYTES or _encode(raw) != token:
        return None
    if not any(hmac.compare_digest(mac, _mac(content, secret)) for secret in secrets):
        return None
    expires_at = _expiry(content)
    if content[_REFERENCE_BYTES] != purpose or now >= expires_at:
        return None
    return SignedLink(REFERENCE_PREFIX + _encode(content[:_REFERENCE_BYTES]), expires_at)


def token_hash(token: str) -> str:
    """What the ledger keeps of a token. The token cannot be computed from it."""
    return hashlib.sha256(token.encode()).hexdigest()


def _expiry(content: bytes) -> datetime:
    hours = int.from_bytes(content[_REFERENCE_BYTES + 1 :])
    return datetime.fromtimestamp(hours * SECONDS_PER_HOUR, UTC)


def _mac(content: bytes, secret: bytes) -> bytes:
    """The prefix keeps these apart from the keyed hashes of contacts, which use the same secrets."""
    return hmac.new(secret, b"signed link\0" + content, hashlib.sha256).digest()[:_MAC_BYTES]


def _encode(raw: bytes) -> str:
    return base64.b32encode(raw).decode().rstrip("=").lower()


def _decode(text: str) -> bytes:
    """Raises ValueError."""
    try:
        return base64.b32decode(text.upper() + "=" * (-len(text) % 8))
    except binascii.Error as error:
        raise ValueError("not base32") from error
