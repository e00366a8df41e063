"""Keyrings: which key encrypts, which keys decrypt, and development's own keys.

A keyring has keys by id. The first key encrypts and hashes; all of them decrypt. To rotate: add the new key last
everywhere, then put it first, then drop the old one.
"""

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from settings import KEY_BYTES, ConfigurationError, Settings, parse_keys

PAYLOAD_KEY_FILE, LINK_KEY_FILE = "payload.keys", "link.keys"
"""In STATE_DIR, for development."""


class UnknownKeyId(LookupError):
    """The keyring has no key with this id."""


class Keyring:
    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """``keys``: by id, the primary one first. Raises ValueError."""
        if not keys or any(len(key) != KEY_BYTES for key in keys.values()):
            raise ValueError(f"a keyring needs at least one key of {KEY_BYTES} bytes")
        self._keys = dict(keys)
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.ids = tuple(keys)
        self.primary_id = self.ids[0]
        self.secrets = tuple(keys.values())
        """All keys, the primary one first."""

    @property
    def keys(self) -> Mapping[str, bytes]:
        """By id, the primary one first. For a process that has no settings."""
        return MappingProxyType(self._keys)

    def key(self, key_id: str) -> bytes:
        return self._keys[key_id]

    def starting_with(self, key_id: str) -> "Keyring":
        """The same keys, of which this one encrypts."""
        return Keyring({key_id: self._keys[key_id]} | self._keys)

    def cipher(self, key_id: str) -> AESGCM:
        """Raises UnknownKeyId."""
        try:
            return self._ciphers[key_id]
        except KeyError:
            raise UnknownKeyId(f"no key with id {key_id[:40]!r}") from None


def fingerprint(key: bytes) -> str:
    """Tells whether two processes have the same key, and nothing about the key."""
    return hmac.new(key, b"holdfast key fingerprint", hashlib.sha256).hexdigest()


def payload_keyring(settings: Settings) -> Keyring:
    """The keys that encrypt what Temporal stores. Raises ConfigurationError."""
    return _keyring("PAYLOAD_KEYS", settings.payload_keys, settings.state_dir / PAYLOAD_KEY_FILE)


def link_keyring(settings: Settings) -> Keyring:
    """The keys that hash contacts in the ledger. Raises ConfigurationError."""
    return _keyring("LINK_KEYS", settings.link_keys, settings.state_dir / LINK_KEY_FILE)


def create_development_keys(settings: Settings) -> None:
    """For a worker in development: create the keys that are not set, once, readable by this user only.

    Nobody else may: a process that makes up its own keys starts bookings that no worker can read.
    """
    if settings.is_production:
        return
    for value, name in ((settings.payload_keys, PAYLOAD_KEY_FILE), (settings.link_keys, LINK_KEY_FILE)):
        path = settings.state_dir / name
        if not value.get_secret_value() and not path.exists():
            _create_development_key(path)


def _keyring(variable: str, value: SecretStr, development_file: Path) -> Keyring:
    text = value.get_secret_value()
    if not text:
        try:
            text = development_file.read_text()
        except OSError:
            raise ConfigurationError(
                [
                    f"{variable}: is missing; set it to the workers' keys. Without it, a development worker keeps its "
                    f"own in STATE_DIR, but {development_file} is not there"
                ]
            ) from None
    return Keyring(parse_keys(text))


def _create_development_key(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f"dev:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"
    temporary = path.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    try:
        # Two workers may create the key at once. A hard link fails when the name exists, so the first one wins and no
        # process overwrites a key that another has already used.
        os.link(temporary, path)
    except FileExistsError:
        pass
    finally:
        temporary.unlink()
