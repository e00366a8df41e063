"""Opaque keys for things that name a person: the same person gives the same key, nobody can guess back."""

import hashlib
import hmac


class KeyedHash:
    """HMAC-SHA-256 under a secret; ``purpose`` keeps keys of different uses apart."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def __call__(self, purpose: str, text: str) -> str:
        return hmac.new(self._secret, f"{purpose}\0{text}".encode(), hashlib.sha256).hexdigest()
