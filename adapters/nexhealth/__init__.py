"""Dentrix, Dentrix Enterprise, Eaglesoft, Ascend and Open Dental, through the NexHealth Synchronizer.

NexHealth keeps a copy of the practice's calendar. It accepts a write into that copy at once, and carries it into the
practice's own system later: until then the write has not landed.
"""

from adapters.nexhealth.account import RECEIVER_SHARE, Account, worker_share
from adapters.nexhealth.config import WEBHOOK_PATH, NexHealthConfig
from adapters.nexhealth.system import NexHealthSystem

__all__ = ["RECEIVER_SHARE", "WEBHOOK_PATH", "Account", "NexHealthConfig", "NexHealthSystem", "worker_share"]
