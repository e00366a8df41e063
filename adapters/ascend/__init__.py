"""Dentrix Ascend."""

from adapters.ascend.config import AscendConfig
from adapters.ascend.system import AscendSystem

__all__ = ["AscendConfig", "AscendSystem"]
