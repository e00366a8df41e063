"""NexHealth's authentication: an API key buys a token, and every other call needs the token and an API version."""

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from datetime import timedelta

from sandbox.nexhealth.clock import Clock
from sandbox.nexhealth.envelope import AUTHENTICATION_EXPIRED, api_error
from sandbox.store import Row

API_VERSIONS = ("v3.0.0", "v20240412")


class Authenticator:
    def __init__(self, api_key: str, clock: Clock) -> None:
        self._api_key, self.clock = api_key, clock
        self._signing_secret = secrets.token_bytes(32)
        self.tokens: dict[str, float] = {}
        """When each token expires, in seconds since 1970 by NexHealth's clock."""

    def issue_token(self, authorization: str, lifetime_seconds: float) -> Row:
        """A JWT for the raw API key. A scheme before the key, such as "Bearer", makes it a wrong key."""
        if not hmac.compare_digest(authorization.encode(), self._api_key.encode()):
            raise api_error(401, "Invalid Credentials")
        now = self.clock.now()
        expires_at = now + timedelta(seconds=lifetime_seconds)
        claims = {"sub": "197", "scp": "api_user", "aud": None, "iat": int(now.timestamp())}
        claims |= {"exp": int(expires_at.timestamp()), "jti": secrets.token_hex(16)}
        signed = f"{_jwt_part({'alg': 'HS256'})}.{_jwt_part(claims)}"
        token = f"{signed}.{_base64(hmac.digest(self._signing_secret, signed.encode(), hashlib.sha256))}"
        self.tokens[token] = expires_at.timestamp()
        return {"token": token}

    def check_headers(self, headers: Mapping[str, str]) -> None:
        """Raises ErrorResponse without a valid token (401) or a known API version (404)."""
        scheme, _, token = headers.get("authorization", "").partition(" ")
        if scheme != "Bearer" or self.tokens.get(token, 0) <= self.clock.now().timestamp():
            raise api_error(401, AUTHENTICATION_EXPIRED)
        if headers.get("nex-api-version") not in API_VERSIONS:
            raise api_error(404, "Not Found")


def is_anonymous_client(headers: Mapping[str, str]) -> bool:
    """Whether the content network in front of the API turns this client away: it does not say who it is."""
    user_agent = headers.get("user-agent")
    return not user_agent or user_agent.startswith(("python-httpx", "python-requests"))


def _jwt_part(content: Row) -> str:
    return _base64(json.dumps(content).encode())


def _base64(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()
