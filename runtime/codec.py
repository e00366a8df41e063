"""Payload encryption: AES-256-GCM with named keys."""

import secrets
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from runtime.keys import Keyring, UnknownKeyId
from workflows.shared.inbound import PLAIN, PROBLEM, UNREADABLE_ENCODING

ENCODING = b"binary/encrypted"
KEY_ID = "encryption-key-id"
NONCE_BYTES = 12


class DecryptionError(Exception):
    """A payload that cannot be decrypted: its key is unknown, it was altered, or it is of another namespace."""


class NotEncrypted(DecryptionError):
    """A payload in clear, where encryption is required."""


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
                raise NotEncrypted("the payload is not encrypted")
            return payload
        key_id = payload.metadata.get(KEY_ID, b"").decode(errors="replace")
        nonce, ciphertext = payload.data[:NONCE_BYTES], payload.data[NONCE_BYTES:]
        try:
            plaintext = self._keyring.cipher(key_id).decrypt(nonce, ciphertext, self._associated_data(key_id))
        except UnknownKeyId as unknown:
            raise DecryptionError(str(unknown)) from None
        except (InvalidTag, ValueError):
            raise DecryptionError("the payload was altered or is of another namespace") from None
        try:
            return Payload.FromString(plaintext)
        except DecodeError:
            raise DecryptionError("the payload was not encrypted by Holdfast") from None

    def _associated_data(self, key_id: str) -> bytes:
        return f"holdfast\0{self._namespace}\0{key_id}".encode()


class MarkingCodec(EncryptionCodec):
    """The codec of workers and clients: marks what cannot be decrypted, so that whoever reads it decides.

    The SDK decodes all payloads of a workflow task before the workflow sees any. If one of them raised here, the task
    would fail, again and again: anybody who may send a signal could stop a booking for ever. A marked payload raises
    when it is read (``runtime.converter``), except where a workflow expects it (``workflows.shared.inbound``).
    """

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Never raises."""
        return [self._decrypt_or_mark(payload) for payload in payloads]

    def _decrypt_or_mark(self, payload: Payload) -> Payload:
        try:
            decoded = self._decrypt(payload)
        except NotEncrypted as error:
            return _mark_unreadable(str(error), plain=payload)
        except DecryptionError as error:
            return _mark_unreadable(str(error))
        return _mark_plain(decoded) if payload.metadata.get("encoding") != ENCODING else decoded


def _mark_plain(payload: Payload) -> Payload:
    marked = Payload()
    marked.CopyFrom(payload)
    marked.metadata[PLAIN] = b"true"
    return marked


def _mark_unreadable(problem: str, plain: Payload | None = None) -> Payload:
    """``plain``: the payload that was refused only because it is not encrypted."""
    marked = Payload(metadata={"encoding": UNREADABLE_ENCODING, PROBLEM: problem.encode()})
    if plain is not None:
        marked.metadata[PLAIN] = b"true"
        marked.data = plain.SerializeToString()
    return marked
