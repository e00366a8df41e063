"""What bookings share: claims on time, what was sent to whom, and who opted out."""

from adapters.ledger.claims import Claim, ClaimLost, Claims, Grant, Renewal, SlotClaimed, TooManyClaims
from adapters.ledger.database import LedgerUnavailable
from adapters.ledger.leases import Leases, new_holder
from adapters.ledger.ledger import Ledger
from adapters.ledger.messages import AT_PROVIDER, Action, Attempt, MessageId, MessageLedger, OptOuts

__all__ = [
    "AT_PROVIDER",
    "Action",
    "Attempt",
    "Claim",
    "ClaimLost",
    "Claims",
    "Grant",
    "Leases",
    "Ledger",
    "LedgerUnavailable",
    "MessageId",
    "MessageLedger",
    "OptOuts",
    "Renewal",
    "SlotClaimed",
    "TooManyClaims",
    "new_holder",
]
