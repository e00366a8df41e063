"""``python -m tests.replay``: whether the saved histories replay on the Python that runs this."""

import asyncio
import os
import platform
import sys

from tests.replay.saved import replay_saved

print(f"Python {platform.python_version()}: {asyncio.run(replay_saved())} saved histories replay")
sys.stdout.flush()
os._exit(0)  # the SDK may crash an orderly interpreter exit
