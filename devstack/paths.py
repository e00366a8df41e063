"""Where the repository is."""

from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
"""Every child process runs in this directory."""
