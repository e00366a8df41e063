"""Opaque keys for things that name a person: the same person gives the same key, nobody can guess back."""

import hashlib
import hmac


class KeyedHash:
    """HMAC-SHA-256 under a secret; ``purpose`` keeps keys of different uses apart.

    ``earlier``: secrets that were in use before, under which something may have been kept.
    """

    def __init__(self, secret: bytes, *earlier: bytes) -> None:
        self._secrets = (secret, *earlier)

    def __call__(self, purpose: str, text: str) -> str:
        return self.ever(purpose, text)[0]

    def ever(self, purpose: str, text: str) -> tuple[str, ...]:
        """The key as it is now, then as it was under each earlier secret."""
        content = f"{purpose}\0{text}".encode()
        return tuple(hmac.new(secret, content, hashlib.sha256).hexdigest() for secret in self._secrets)
