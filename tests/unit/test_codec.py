"""Payloads cannot be read or changed without the key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from runtime.codec import DecryptionError, EncryptionCodec
from runtime.converter import UnreadablePayload, data_converter
from runtime.keys import Keyring

OLD_KEY, NEW_KEY = {"old": b"o" * 32}, {"new": b"n" * 32}
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'{"name": "Canary"}')


async def test_encrypted_payload_hides_its_content_and_decrypts_to_the_original() -> None:
    codec = EncryptionCodec(Keyring(NEW_KEY), "default")
    (encrypted,) = await codec.encode([PLAIN])
    assert b"Canary" not in encrypted.SerializeToString()
    assert await codec.decode([encrypted]) == [PLAIN]


async def test_after_rotation_both_keys_decrypt_until_the_old_key_is_dropped() -> None:
    (encrypted,) = await EncryptionCodec(Keyring(OLD_KEY), "default").encode([PLAIN])
    rotated = EncryptionCodec(Keyring(NEW_KEY | OLD_KEY), "default")
    assert await rotated.decode([encrypted]) == [PLAIN]
    (newer,) = await rotated.encode([PLAIN])
    assert newer.metadata["encryption-key-id"] == b"new"
    with pytest.raises(DecryptionError, match="old"):
        await EncryptionCodec(Keyring(NEW_KEY), "default").decode([encrypted])


async def test_payload_of_another_namespace_does_not_decrypt() -> None:
    (encrypted,) = await EncryptionCodec(Keyring(NEW_KEY), "one").encode([PLAIN])
    with pytest.raises(DecryptionError):
        await EncryptionCodec(Keyring(NEW_KEY), "two").decode([encrypted])


@given(st.integers(min_value=0), st.integers(0, 7))
async def test_changing_any_bit_is_detected(position: int, bit: int) -> None:
    codec = EncryptionCodec(Keyring(NEW_KEY), "default")
    (encrypted,) = await codec.encode([PLAIN])
    data = bytearray(encrypted.data)
    data[position % len(data)] ^= 1 << bit
    encrypted.data = bytes(data)
    with pytest.raises(DecryptionError):
        await codec.decode([encrypted])


async def test_plain_payload_is_refused_when_encryption_is_required() -> None:
    assert await EncryptionCodec(Keyring(NEW_KEY), "default").decode([PLAIN]) == [PLAIN]
    with pytest.raises(DecryptionError):
        await EncryptionCodec(Keyring(NEW_KEY), "default", require_encrypted=True).decode([PLAIN])


async def test_nonces_do_not_repeat() -> None:
    encrypted = await EncryptionCodec(Keyring(NEW_KEY), "default").encode([PLAIN] * 2000)
    assert len({payload.data[:12] for payload in encrypted}) == 2000


async def test_messages_and_stack_traces_of_failures_are_encrypted() -> None:
    """Temporal stores and shows them beside the payloads, and both may quote a line with a name in it."""
    converter, failure = data_converter(EncryptionCodec(Keyring(NEW_KEY), "default")), Failure()
    try:
        raise ApplicationError("Canary", "Canary") from ValueError("Canary")
    except ApplicationError as error:
        await converter.encode_failure(error, failure)
    assert b"anary" not in failure.SerializeToString()
    assert str(await converter.decode_failure(failure)) == "Canary"


async def test_value_that_cannot_be_read_is_not_quoted() -> None:
    (payload,) = await data_converter(EncryptionCodec(Keyring(NEW_KEY), "default")).encode(["Canary"])
    with pytest.raises(UnreadablePayload) as refused:
        await data_converter(EncryptionCodec(Keyring(NEW_KEY), "default")).decode([payload], [int])
    assert "anary" not in f"{refused.value} {refused.value!r} {refused.value.__cause__!r}"
