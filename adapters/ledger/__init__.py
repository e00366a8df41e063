"""The ledger holds what bookings share: claims, leases, sent messages, opt-outs and appointment events and links."""

from adapters.ledger.claims import Claim, ClaimLost, Claims, Grant, Renewal, SlotClaimed, TooManyClaims
from adapters.ledger.database import LedgerUnavailable
from adapters.ledger.leases import Leases, new_holder
from adapters.ledger.ledger import Ledger
from adapters.ledger.links import Link, Links
from adapters.ledger.messages import OPT_OUT_SOURCE_PROVIDER, Action, Attempt, MessageId, MessageLedger, OptOuts
from adapters.ledger.shared_profile import KeyPurpose, PublishedFile, SharedKey

__all__ = [
    "OPT_OUT_SOURCE_PROVIDER",
    "Action",
    "Attempt",
    "Claim",
    "ClaimLost",
    "Claims",
    "Grant",
    "KeyPurpose",
    "Leases",
    "Ledger",
    "LedgerUnavailable",
    "Link",
    "Links",
    "MessageId",
    "MessageLedger",
    "OptOuts",
    "PublishedFile",
    "Renewal",
    "SharedKey",
    "SlotClaimed",
    "TooManyClaims",
    "new_holder",
]
