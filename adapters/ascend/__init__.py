"""Dentrix Ascend, through Henry Schein One's HTTP API.

What the vendor's documents leave open is said where it matters, together with how we stay safe either way.
"""

from adapters.ascend.config import AscendConfig
from adapters.ascend.system import AscendSystem

__all__ = ["AscendConfig", "AscendSystem"]
