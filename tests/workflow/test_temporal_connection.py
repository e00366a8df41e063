"""Every process checks its connection to Temporal."""

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
def test_missing_namespace_is_reported_with_its_setting(stack: DevStack, command: list[str]) -> None:
    addresses = {name: f"127.0.0.1:{free_port(0)}" for name in ("WORKER_HTTP_ADDRESS", "WEB_ADDRESS")}
    environment = {**stack.environment, **addresses, "TEMPORAL_NAMESPACE": "nowhere"}
    result = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
    )
    assert "Temporal has no namespace nowhere; set TEMPORAL_NAMESPACE" in result.stdout + result.stderr
    assert result.returncode == 1


async def test_unencrypted_payload_is_rejected_in_production(client: Client) -> None:
    plain = Payload(metadata={"encoding": b"json/plain"}, data=b'"Ana"')
    assert await client.data_converter.decode([plain]) == ["Ana"]
    production_client = await connect(load_settings().model_copy(update={"app_env": "production"}))
    with pytest.raises(DecryptionError):
        await production_client.data_converter.decode([plain])
