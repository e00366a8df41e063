"""The deployment files, as far as they can be judged without a container engine."""

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from demo.stack import ROOT
from settings import Settings

COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.temporal.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
JOBS = {"temporal-schema", "temporal-namespace"}
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_every_image_is_pinned_and_none_is_retired() -> None:
    images = [service["image"] for service in SERVICES.values() if "image" in service]
    assert all(re.search(r":\d+\.\d+", image) for image in images)
    assert not any("auto-setup" in image for image in images)
    assert all(
        re.match(r"FROM \S+:\d+\.\d+\.\d+\S*( AS \w+)?$", line)
        for line in DOCKERFILE.splitlines()
        if "FROM" in line[:5]
    )


def test_every_port_is_bound_to_loopback() -> None:
    ports = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert ports
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_whatever_keeps_running_is_health_checked_and_restarted() -> None:
    for name, service in SERVICES.items():
        if name not in JOBS:
            assert "healthcheck" in service, name
            assert service["restart"] == "unless-stopped", name


def test_our_containers_run_without_root_and_secrets_have_no_default() -> None:
    assert "USER holdfast" in DOCKERFILE
    assert "--require-hashes" in DOCKERFILE
    text = (ROOT / "docker-compose.temporal.yml").read_text()
    assert all(":?" in found for found in re.findall(r"\$\{[A-Z_]*(?:PASSWORD|TOKEN|SECRET|KEY)[^}]*\}", text))


def test_every_variable_given_to_the_worker_is_a_setting() -> None:
    known = {name.upper() for name in Settings.model_fields} | {"TEMPORAL_ADDRESS"}
    for name in ("worker", "codec"):
        assert set(SERVICES[name]["environment"]) <= known


def test_the_worker_may_finish_what_it_is_doing() -> None:
    assert int(SERVICES["worker"]["stop_grace_period"].rstrip("s")) > 25


def test_everything_the_image_copies_exists() -> None:
    copied = [
        line.split()[1:-1] for line in DOCKERFILE.splitlines() if line.startswith("COPY") and "--from" not in line
    ]
    assert all((ROOT / path).exists() for paths in copied for path in paths)


def test_compose_itself_accepts_the_file() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed")
    environment = {"PATH": "/usr/bin:/bin", "POSTGRES_PASSWORD": "x", "CODEC_TOKEN": "x"}
    command = [docker, "compose", "-f", "docker-compose.temporal.yml", "config", "--quiet", "--no-env-resolution"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
