"""Payload encryption: AES-256-GCM under named keys."""

import secrets
from collections.abc import Mapping, Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
NONCE_BYTES = 12


class DecryptionError(Exception):
    """A payload that can't be read: unknown key, altered, or of another namespace."""


class Keyring:
    """Keys by id; the first encrypts, all decrypt. To rotate: add the new one last, then first, then drop the old."""

    def __init__(self, keys: Mapping[str, bytes]) -> None:
        if not keys or any(len(key) != 32 for key in keys.values()):
            raise ValueError("a keyring needs at least one key of 32 bytes")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.primary_id = next(iter(keys))
        self.secrets = tuple(keys.values())
        """The primary one first."""

    def cipher(self, key_id: str) -> AESGCM:
        try:
            return self._ciphers[key_id]
        except KeyError:
            raise DecryptionError(f"no key with id {key_id[:40]!r}") from None


class EncryptionCodec(PayloadCodec):
    """Bound to the namespace: a ciphertext moved to another, or renamed to another key, does not open.

    It is not bound to the workflow, because the endpoint that decodes for Temporal's UI is not told which one
    a payload belongs to.
    """

    def __init__(self, keyring: Keyring, namespace: str, *, require_encrypted: bool = False) -> None:
        self._keyring = keyring
        self._namespace = namespace
        self._require_encrypted = require_encrypted

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._encrypt(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._decrypt(payload) for payload in payloads]

    def _encrypt(self, payload: Payload) -> Payload:
        key_id = self._keyring.primary_id
        nonce = secrets.token_bytes(NONCE_BYTES)
        sealed = self._keyring.cipher(key_id).encrypt(nonce, payload.SerializeToString(), self._bound(key_id))
        return Payload(metadata={"encoding": ENCODING, KEY_ID: key_id.encode()}, data=nonce + sealed)

    def _decrypt(self, payload: Payload) -> Payload:
        if payload.metadata.get("encoding") != ENCODING:
            if self._require_encrypted:
                raise DecryptionError("a payload that is not encrypted")
            return payload
        key_id = payload.metadata.get(KEY_ID, b"").decode(errors="replace")
        nonce, sealed = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            opened = self._keyring.cipher(key_id).decrypt(nonce, sealed, self._bound(key_id))
        except (InvalidTag, ValueError):
            raise DecryptionError("a payload that was altered or belongs elsewhere") from None
        return Payload.FromString(opened)

    def _bound(self, key_id: str) -> bytes:
        return f"holdfast\0{self._namespace}\0{key_id}".encode()
