"""Worker and receiver are ready only while Temporal and the ledger are there, and their logs say when one goes."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from devstack import DevStack, free_port
from tests.support.polling import poll


@pytest.fixture(scope="module")
def own_stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DevStack]:
    """A stack of its own, because its Temporal and its ledger go away. Its logs are JSON."""
    folder, original_environment = tmp_path_factory.mktemp("readiness"), dict(os.environ)
    os.environ |= {"LOG_FORMAT": "json", "WEB_ADDRESS": f"127.0.0.1:{free_port(0)}"}
    try:
        with DevStack(folder, print, any_ports=True) as stack:
            yield stack
    finally:  # a stack sets many variables, and the tests that follow use those of the shared stack
        os.environ.clear()
        os.environ.update(original_environment)


def is_ready(stack: DevStack) -> list[int]:
    """What worker and receiver answer."""
    addresses = (stack.environment["WORKER_HTTP_ADDRESS"], stack.environment["WEB_ADDRESS"])
    return [httpx.get(f"http://{address}/ready", timeout=5, trust_env=False).status_code for address in addresses]


def lines_about(stack: DevStack, dependency: str) -> dict[str, list[dict[str, Any]]]:
    """By process. Fails if a line is not JSON."""
    lines = {}
    for name in ("worker", "web"):
        log = [json.loads(line) for line in (stack.state_dir / f"{name}.log").read_text().splitlines()]
        lines[name] = [line for line in log if line.get("dependency") == dependency]
    return lines


def assert_one_line_when_it_went_and_one_when_it_came(stack: DevStack, dependency: str, host: str) -> None:
    for lines in lines_about(stack, dependency).values():
        assert [(line["event"], line["level"]) for line in lines] == [
            ("dependency_lost", "warning"),
            ("dependency_back", "warning"),
        ]
        assert all(host in line["host"] for line in lines)
        assert lines[0]["cause"]


async def test_process_is_not_ready_while_temporal_is_away(own_stack: DevStack) -> None:
    assert is_ready(own_stack) == [200, 200]
    (temporal,) = (process.process for process in own_stack.processes if process.name == "temporal")
    assert temporal is not None
    temporal.send_signal(signal.SIGSTOP)
    await poll(lambda: is_ready(own_stack) == [503, 503], 30)
    assert is_ready(own_stack) == [503, 503]
    temporal.send_signal(signal.SIGCONT)
    await poll(lambda: is_ready(own_stack) == [200, 200], 30)
    assert is_ready(own_stack) == [200, 200]
    host = own_stack.environment["TEMPORAL_ADDRESS"]
    assert_one_line_when_it_went_and_one_when_it_came(own_stack, "temporal", host)


async def test_process_is_not_ready_while_the_ledger_is_away(own_stack: DevStack) -> None:
    ledger = Path(own_stack.state_dir) / "ledger.db"
    ledger.rename(ledger.with_suffix(".away"))
    await poll(lambda: is_ready(own_stack) == [503, 503], 30)
    assert is_ready(own_stack) == [503, 503]
    ledger.with_suffix(".away").rename(ledger)
    await poll(lambda: is_ready(own_stack) == [200, 200], 30)
    assert is_ready(own_stack) == [200, 200]
    assert_one_line_when_it_went_and_one_when_it_came(own_stack, "ledger", "ledger.db")
