"""Dentrix, Dentrix Enterprise, Eaglesoft, Ascend and Open Dental through the NexHealth Synchronizer."""

from adapters.nexhealth.account import Account
from adapters.nexhealth.config import WEBHOOK_PATH, NexHealthConfig
from adapters.nexhealth.system import NexHealthSystem

__all__ = ["WEBHOOK_PATH", "Account", "NexHealthConfig", "NexHealthSystem"]
