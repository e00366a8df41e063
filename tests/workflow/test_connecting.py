"""What every process of ours is told, and holds to, when it connects to Temporal."""

import subprocess
import sys

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client

from devstack import ROOT, DevStack, free_port
from runtime.client import connect
from runtime.codec import DecryptionError
from settings import load_settings


@pytest.mark.parametrize(
    "command", [["starter.py", "check", "--json"], ["starter.py", "list", "--json"], ["worker.py"], ["-m", "web"]]
)
def test_a_namespace_that_is_not_there_is_named_with_its_setting(stack: DevStack, command: list[str]) -> None:
    addresses = {name: f"127.0.0.1:{free_port(0)}" for name in ("WORKER_HTTP_ADDRESS", "WEB_ADDRESS")}
    environment = {**stack.environment, **addresses, "TEMPORAL_NAMESPACE": "nowhere"}
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert "Temporal has no namespace nowhere; set TEMPORAL_NAMESPACE" in done.stdout + done.stderr
    assert done.returncode == 1


async def test_in_production_nothing_is_taken_that_is_not_encrypted(client: Client) -> None:
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b'"Ana"')
    assert await client.data_converter.decode([plain]) == ["Ana"]
    in_production = await connect(load_settings().model_copy(update={"app_env": "production"}))
    with pytest.raises(DecryptionError):
        await in_production.data_converter.decode([plain])
