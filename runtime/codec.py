"""Payload encryption: AES-256-GCM with named keys."""

import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from runtime.keys import Keyring, UnknownKeyId

ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
NONCE_BYTES = 12


class DecryptionError(Exception):
    """A payload that cannot be decrypted: its key is unknown, it was altered, or it is of another namespace."""


class EncryptionCodec(PayloadCodec):
    """Encrypts every payload and binds it to the namespace and the key id.

    A ciphertext that is moved to another namespace, or relabeled with another key id, does not decrypt. It is not
    bound to the workflow, because Temporal's UI does not tell the codec endpoint which workflow a payload is of.
    """

    def __init__(self, keyring: Keyring, namespace: str, *, require_encrypted: bool = False) -> None:
        """``require_encrypted``: refuse plain payloads instead of passing them through."""
        self._keyring = keyring
        self._namespace = namespace
        self._require_encrypted = require_encrypted

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._encrypt(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Raises DecryptionError."""
        return [self._decrypt(payload) for payload in payloads]

    def _encrypt(self, payload: Payload) -> Payload:
        key_id = self._keyring.primary_id
        nonce = secrets.token_bytes(NONCE_BYTES)
        plaintext = payload.SerializeToString()
        ciphertext = self._keyring.cipher(key_id).encrypt(nonce, plaintext, self._associated_data(key_id))
        return Payload(metadata={"encoding": ENCODING, KEY_ID: key_id.encode()}, data=nonce + ciphertext)

    def _decrypt(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            if self._require_encrypted:
                raise DecryptionError("the payload is not encrypted")
            return payload
        key_id = payload.metadata.get(KEY_ID, b"").decode(errors="replace")
        nonce, ciphertext = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            plaintext = self._keyring.cipher(key_id).decrypt(nonce, ciphertext, self._associated_data(key_id))
        except UnknownKeyId as unknown:
            raise DecryptionError(str(unknown)) from None
        except (InvalidTag, ValueError):
            raise DecryptionError("the payload was altered or is of another namespace") from None
        return Payload.FromString(plaintext)

    def _associated_data(self, key_id: str) -> bytes:
        return f"holdfast\0{self._namespace}\0{key_id}".encode()
