"""The link to a booking's status page that every message to a patient carries."""

from datetime import datetime, timedelta

from adapters.ledger import Ledger, Link
from domain.signed_link import LinkPurpose, sign_link, token_hash

OUTLIVES_VISIT = timedelta(days=30)
"""How long after the start of the visit a link ends."""
STATUS_PATH = "/manage"


class StatusLinks:
    def __init__(self, ledger: Ledger, secret: bytes, public_base_url: str) -> None:
        """``secret`` signs. ``public_base_url``: where patients reach ``python -m web``. Empty: no links."""
        self._ledger = ledger
        self._secret = secret
        self._public_base_url = public_base_url

    async def create(self, booking: str, reference: str, language: str, start: datetime, now: datetime) -> str | None:
        """A URL that shows where the booking stands, recorded in the ledger. ``None`` if this booking gets no links.

        ``booking``: its workflow id. ``start``: of the visit. Raises LedgerUnavailable.
        """
        if not (self._public_base_url and booking):
            return None
        expires_at = start + OUTLIVES_VISIT
        token = sign_link(LinkPurpose.STATUS, reference, expires_at, self._secret)
        link = Link(booking=booking, language=language)
        if not await self._ledger.links.record(token_hash(token), link, expires_at, now):
            return None
        return f"{self._public_base_url}{STATUS_PATH}/{token}"
