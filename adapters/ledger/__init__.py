"""The ledger holds what bookings share: claims, leases, sent messages, opt-outs and appointment events and links."""

from adapters.ledger.claims import Claim, ClaimLost, Claims, Grant, Renewal, SlotClaimed
from adapters.ledger.database import LedgerUnavailable
from adapters.ledger.leases import Leases, new_holder
from adapters.ledger.ledger import Ledger
from adapters.ledger.links import Link, Links
from adapters.ledger.messages import OPT_OUT_SOURCE_PROVIDER, Action, Attempt, MessageId, MessageLedger, OptOuts
from adapters.ledger.shared_profile import KeyPurpose, PublishedFile, SharedKey
from adapters.ledger.visits import Keys, Visitor, VisitRefused

__all__ = [
    "OPT_OUT_SOURCE_PROVIDER",
    "Action",
    "Attempt",
    "Claim",
    "ClaimLost",
    "Claims",
    "Grant",
    "KeyPurpose",
    "Keys",
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
    "VisitRefused",
    "Visitor",
    "new_holder",
]
