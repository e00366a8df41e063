"""The dev stack: Temporal's dev server, the sandbox and Holdfast's processes, run together on one machine.

The demo, the tests and the benchmarks share it. Every child process ends when its parent does.
"""

from devstack.paths import ROOT
from devstack.ports import free_port
from devstack.processes import STARTUP_TIMEOUT, DevProcess, StackError, die_with_parent, is_answering
from devstack.programs import sandbox_command, temporal_command, web_command, worker_command, worker_process
from devstack.sandbox_settings import sandbox_settings
from devstack.stack import DevStack
from devstack.temporal_config import DYNAMIC_CONFIG

__all__ = [
    "DYNAMIC_CONFIG",
    "ROOT",
    "STARTUP_TIMEOUT",
    "DevProcess",
    "DevStack",
    "StackError",
    "die_with_parent",
    "free_port",
    "is_answering",
    "sandbox_command",
    "sandbox_settings",
    "temporal_command",
    "web_command",
    "worker_command",
    "worker_process",
]
