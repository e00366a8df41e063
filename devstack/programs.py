"""The command line of every program in the dev stack."""

import sys
from pathlib import Path

from temporalio.common import SearchAttributeIndexedValueType

from devstack.processes import DevProcess, is_answering
from devstack.temporal_config import DYNAMIC_CONFIG
from workflows.shared.search_attributes import ALL

_TYPE_NAMES = {
    SearchAttributeIndexedValueType.KEYWORD: "Keyword",
    SearchAttributeIndexedValueType.DATETIME: "Datetime",
}


def temporal_command(database: Path, grpc_port: int, ui_port: int, codec_url: str) -> list[str]:
    """Temporal's dev server. Its database is a file that survives ``kill -9``."""
    command = [str(Path(sys.executable).parent / "temporal"), "server", "start-dev", "--log-level", "warn"]
    command += ["--ip", "127.0.0.1", "--port", str(grpc_port)]
    command += ["--ui-port", str(ui_port), "--ui-codec-endpoint", codec_url]
    command += ["--db-filename", str(database)]
    command += ["--sqlite-pragma", "journal_mode=WAL", "--sqlite-pragma", "synchronous=NORMAL"]
    for name, value in DYNAMIC_CONFIG.items():
        command += ["--dynamic-config-value", f"{name}={value}"]
    for key in ALL:
        command += ["--search-attribute", f"{key.name}={_TYPE_NAMES[key.indexed_value_type]}"]
    return command


def sandbox_command(port: int, database: Path) -> list[str]:
    return [sys.executable, "-m", "sandbox", "--port", str(port), "--db", str(database)]


def web_command() -> list[str]:
    return [sys.executable, "-m", "web"]


def worker_command() -> list[str]:
    return [sys.executable, "worker.py"]


def worker_process(name: str, http_port: int) -> DevProcess:
    """A worker whose own HTTP endpoint is on ``http_port``."""
    address = f"127.0.0.1:{http_port}"
    return DevProcess(
        name,
        worker_command(),
        lambda: is_answering(f"http://{address}/ready"),
        environment={"WORKER_HTTP_ADDRESS": address},
    )
