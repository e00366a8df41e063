"""Who may come in: the key for a token, the token for everything else, the version, a named client."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from datetime import timedelta

from sandbox.nexhealth.clock import Clock
from sandbox.nexhealth.envelope import EXPIRED, refusal
from sandbox.store import Row

VERSIONS = ("v3.0.0", "v20240412")


class Entry:
    def __init__(self, key: str, clock: Clock) -> None:
        self._key, self.clock = key, clock
        self._secret = secrets.token_bytes(32)
        self.tokens: dict[str, float] = {}

    def token(self, authorization: str, seconds: float) -> Row:
        """A JWT for the raw key: a scheme before it is a wrong key."""
        if not hmac.compare_digest(authorization.encode(), self._key.encode()):
            raise refusal(401, "Invalid Credentials")
        now = self.clock.now()
        expires = now + timedelta(seconds=seconds)
        claims = {"sub": "197", "scp": "api_user", "aud": None, "iat": int(now.timestamp())}
        claims |= {"exp": int(expires.timestamp()), "jti": secrets.token_hex(16)}
        signed = f"{_part({'alg': 'HS256'})}.{_part(claims)}"
        token = f"{signed}.{_base64(hmac.digest(self._secret, signed.encode(), hashlib.sha256))}"
        self.tokens[token] = expires.timestamp()
        return {"token": token}

    def authorize(self, headers: Mapping[str, str]) -> None:
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or self.tokens.get(token, 0) <= self.clock.now().timestamp():
            raise refusal(401, EXPIRED)
        if headers.get("nex-api-version") not in VERSIONS:
            raise refusal(404, "Not Found")


def turned_away(headers: Mapping[str, str]) -> bool:
    """The content network before the API refuses clients that do not say who they are."""
    return headers.get("user-agent", "").startswith(("python-httpx", "python-requests")) or not headers.get(
        "user-agent"
    )


def _part(content: Row) -> str:
    return _base64(json.dumps(content).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
