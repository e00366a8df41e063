"""Keyed hashes of values that identify a person. Equal values give equal keys, and no key can be reversed."""

import hashlib
import hmac


class KeyedHash:
    """HMAC-SHA-256 under a secret. The same text under two purposes gives two unrelated keys.

    ``previous_secrets`` are secrets that were in use before; stored keys may still be made with them.
    """

    def __init__(self, secret: bytes, *previous_secrets: bytes) -> None:
        self._secrets = (secret, *previous_secrets)

    def __call__(self, purpose: str, text: str) -> str:
        """The key under the current secret."""
        return self.all_keys(purpose, text)[0]

    def all_keys(self, purpose: str, text: str) -> tuple[str, ...]:
        """The key under the current secret, then under each previous secret."""
        content = f"{purpose}\0{text}".encode()
        return tuple(hmac.new(secret, content, hashlib.sha256).hexdigest() for secret in self._secrets)
