"""Payloads are unreadable and unchangeable without the key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload

from runtime.codec import DecryptionError, EncryptionCodec, Keyring

OLD, NEW = {"old": b"o" * 32}, {"new": b"n" * 32}
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'{"name": "Canary"}')


async def test_a_payload_comes_back_and_shows_nothing_meanwhile() -> None:
    codec = EncryptionCodec(Keyring(NEW), "default")
    (sealed,) = await codec.encode([PLAIN])
    assert b"Canary" not in sealed.SerializeToString()
    assert await codec.decode([sealed]) == [PLAIN]


async def test_after_rotation_both_keys_are_read_and_the_dropped_one_no_more() -> None:
    (sealed,) = await EncryptionCodec(Keyring(OLD), "default").encode([PLAIN])
    both = EncryptionCodec(Keyring(NEW | OLD), "default")
    assert await both.decode([sealed]) == [PLAIN]
    (fresh,) = await both.encode([PLAIN])
    assert fresh.metadata["encryption-key-id"] == b"new"
    with pytest.raises(DecryptionError, match="old"):
        await EncryptionCodec(Keyring(NEW), "default").decode([sealed])


async def test_a_payload_moved_to_another_namespace_does_not_open() -> None:
    (sealed,) = await EncryptionCodec(Keyring(NEW), "one").encode([PLAIN])
    with pytest.raises(DecryptionError):
        await EncryptionCodec(Keyring(NEW), "two").decode([sealed])


@given(st.integers(min_value=0), st.integers(0, 7))
async def test_any_altered_bit_is_noticed(position: int, bit: int) -> None:
    codec = EncryptionCodec(Keyring(NEW), "default")
    (sealed,) = await codec.encode([PLAIN])
    data = bytearray(sealed.data)
    data[position % len(data)] ^= 1 << bit
    sealed.data = bytes(data)
    with pytest.raises(DecryptionError):
        await codec.decode([sealed])


async def test_production_takes_nothing_that_is_not_encrypted() -> None:
    assert await EncryptionCodec(Keyring(NEW), "default").decode([PLAIN]) == [PLAIN]
    with pytest.raises(DecryptionError):
        await EncryptionCodec(Keyring(NEW), "default", require_encrypted=True).decode([PLAIN])


async def test_nonces_do_not_repeat() -> None:
    sealed = await EncryptionCodec(Keyring(NEW), "default").encode([PLAIN] * 2000)
    assert len({payload.data[:12] for payload in sealed}) == 2000
