"""Keyrings: which key encrypts, which keys decrypt, and development's own keys.

A keyring has keys by id. The first key encrypts and hashes; all of them decrypt. To rotate: add the new key last
everywhere, then put it first, then drop the old one.
"""

import base64
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import SecretStr

from settings import KEY_BYTES, Settings, parse_keys


class UnknownKeyId(LookupError):
    """The keyring has no key with this id."""


class Keyring:
    def __init__(self, keys: Mapping[str, bytes]) -> None:
        """``keys``: by id, the primary one first. Raises ValueError."""
        if not keys or any(len(key) != KEY_BYTES for key in keys.values()):
            raise ValueError(f"a keyring needs at least one key of {KEY_BYTES} bytes")
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.primary_id = next(iter(keys))
        self.secrets = tuple(keys.values())
        """All keys, the primary one first."""

    def cipher(self, key_id: str) -> AESGCM:
        """Raises UnknownKeyId."""
        try:
            return self._ciphers[key_id]
        except KeyError:
            raise UnknownKeyId(f"no key with id {key_id[:40]!r}") from None


def payload_keyring(settings: Settings) -> Keyring:
    """The keys that encrypt what Temporal stores."""
    return _keyring(settings.payload_keys, settings.state_dir / "payload.keys")


def link_keyring(settings: Settings) -> Keyring:
    """The keys that hash contacts in the ledger."""
    return _keyring(settings.link_keys, settings.state_dir / "link.keys")


def _keyring(value: SecretStr, development_file: Path) -> Keyring:
    return Keyring(parse_keys(value.get_secret_value() or _read_or_create_development_key(development_file)))


def _read_or_create_development_key(path: Path) -> str:
    """Development's own key, created once and readable by this user only. In production the settings are required."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = f"dev:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}"
        temporary = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        try:
            # Two processes may create the key at once. A hard link fails when the name exists, so the first one
            # wins and no process overwrites a key that another has already used.
            os.link(temporary, path)
        except FileExistsError:
            pass
        finally:
            temporary.unlink()
    return path.read_text()
