"""``python -m tests.replay``: replays the saved workflow histories on the Python version that runs it."""

import asyncio
import os
import platform
import sys

from tests.replay.saved_histories import replay_saved_histories

count = asyncio.run(replay_saved_histories())
print(f"Python {platform.python_version()}: {count} saved histories replay")
sys.stdout.flush()
os._exit(0)  # the SDK's native threads may crash an orderly interpreter exit
