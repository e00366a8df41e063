"""Dentrix, Dentrix Enterprise, Eaglesoft, Ascend and Open Dental through the NexHealth Synchronizer."""

from adapters.nexhealth.config import NexHealthConfig
from adapters.nexhealth.system import NexHealthSystem

__all__ = ["NexHealthConfig", "NexHealthSystem"]
