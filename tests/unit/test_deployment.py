"""The deployment files, checked as far as possible without a container engine."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from devstack import DYNAMIC_CONFIG, ROOT, sandbox_settings
from settings import Settings
from worker import GRACEFUL_SHUTDOWN_TIMEOUT

COMPOSE_TEXT = (ROOT / "docker-compose.temporal.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_TIME_JOBS = {"temporal-schema", "temporal-namespace"}
OUR_SERVICES = {name: service for name, service in SERVICES.items() if "build" in service and name != "sandbox"}
SETTINGS = {name.upper() for name in Settings.model_fields}
EXAMPLE = (ROOT / ".env.example").read_text()
README = (ROOT / "README.md").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_every_image_is_pinned_and_none_is_deprecated() -> None:
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


def test_every_long_running_service_has_a_health_check_and_restarts() -> None:
    for name, service in SERVICES.items():
        if name not in ONE_TIME_JOBS:
            assert "healthcheck" in service, name
            assert service["restart"] == "unless-stopped", name


def test_our_containers_run_without_root_and_secrets_have_no_default() -> None:
    assert "USER holdfast" in DOCKERFILE
    assert "--require-hashes" in DOCKERFILE
    assert all(
        ":?" in variable for variable in re.findall(r"\$\{[A-Z_]*(?:PASSWORD|TOKEN|SECRET|KEY)[^}]*\}", COMPOSE_TEXT)
    )


def test_our_containers_run_in_production_mode_unless_env_changes_it() -> None:
    """In development mode they would accept plain payloads and plain http."""
    assert re.search(r"^ENV .*\bAPP_ENV=production\b", DOCKERFILE, re.MULTILINE)
    assert not any("APP_ENV" in service["environment"] for service in OUR_SERVICES.values())


def test_every_variable_of_our_services_is_a_setting() -> None:
    assert set(OUR_SERVICES) == {"worker", "web"}
    for service in OUR_SERVICES.values():
        assert set(service["environment"]) <= SETTINGS | {"TEMPORAL_ADDRESS"}


def test_every_service_requires_the_same_keys() -> None:
    for service in OUR_SERVICES.values():
        for name in ("PAYLOAD_KEYS", "LINK_KEYS"):
            assert service["environment"][name].startswith(f"${{{name}:?")


def test_every_service_knows_how_many_processes_share_the_nexhealth_key() -> None:
    processes = sum(service.get("deploy", {}).get("replicas", 1) for service in OUR_SERVICES.values())
    assert {service["environment"]["NEXHEALTH_PROCESSES"] for service in OUR_SERVICES.values()} == {str(processes)}
    assert SERVICES["worker"]["deploy"]["replicas"] == 2
    assert "two workers" in README


def test_our_services_log_json() -> None:
    assert {service["environment"]["LOG_FORMAT"] for service in OUR_SERVICES.values()} == {"json"}


def test_codec_is_reachable_only_inside_a_worker_and_the_readme_shows_how() -> None:
    address = SERVICES["worker"]["environment"]["WORKER_HTTP_ADDRESS"]
    assert address.startswith("127.0.0.1:")
    assert "ports" not in SERVICES["worker"]
    assert "TEMPORAL_CODEC_ENDPOINT" not in SERVICES["temporal-ui"]["environment"]
    assert f"--codec-endpoint http://{address}/codec" in README


def test_env_example_has_every_variable_of_compose_and_no_secret() -> None:
    variables = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    required = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE_TEXT))
    assert required == {"POSTGRES_PASSWORD", "PAYLOAD_KEYS", "LINK_KEYS"}
    assert required <= set(variables) <= required | SETTINGS
    assert {name: value for name, value in variables.items() if value} == {"APP_ENV": "production"}
    assert ".env.example" in COMPOSE_TEXT
    assert ".env.example" in README


def test_env_example_has_every_variable_that_the_sandbox_needs() -> None:
    variables = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert variables == {
        **sandbox_settings("http://sandbox:8090"),
        "APP_ENV": "development",
        "PUBLIC_BASE_URL": "http://web:8000",
    }


def test_dynamic_config_is_the_dev_stacks_and_the_docs_name_the_file() -> None:
    dynamic_config = yaml.safe_load((ROOT / "temporal-dynamic-config.yml").read_text())
    assert {key: json.dumps(only["value"]) for key, [only] in dynamic_config.items()} == DYNAMIC_CONFIG
    temporal = SERVICES["temporal"]
    target = temporal["environment"]["DYNAMIC_CONFIG_FILE_PATH"]
    assert f"./temporal-dynamic-config.yml:{target}:ro" in temporal["volumes"]
    assert "temporal-dynamic-config.yml" in (ROOT / "docs" / "performance.md").read_text()


def test_container_stop_grace_period_is_longer_than_the_workers() -> None:
    assert int(SERVICES["worker"]["stop_grace_period"].rstrip("s")) > GRACEFUL_SHUTDOWN_TIMEOUT.total_seconds()


def test_every_path_that_the_image_copies_exists() -> None:
    copied = [
        line.split()[1:-1] for line in DOCKERFILE.splitlines() if line.startswith("COPY") and "--from" not in line
    ]
    assert all((ROOT / path).exists() for paths in copied for path in paths)


def test_image_has_every_package_that_its_programs_import_and_the_version() -> None:
    """The version is read from pyproject.toml."""
    copied = {word for line in DOCKERFILE.splitlines() if line.startswith("COPY") for word in line.split()[1:-1]}
    layers = {"domain", "adapters", "activities", "workflows", "runtime", "client", "cli", "web", "devstack", "demo"}
    assert layers | {"sandbox", "settings.py", "worker.py", "starter.py", "pyproject.toml"} <= copied


def test_docker_compose_accepts_the_file() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed")
    environment = {"PATH": "/usr/bin:/bin", "POSTGRES_PASSWORD": "x", "PAYLOAD_KEYS": "x", "LINK_KEYS": "x"}
    command = [docker, "compose", "-f", "docker-compose.temporal.yml", "config", "--quiet", "--no-env-resolution"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
