"""The deployment files, as far as they can be judged without a container engine."""

import json
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from demo.stack import DYNAMIC_CONFIG, ROOT, sandbox_settings
from settings import Settings

TEXT = (ROOT / "docker-compose.temporal.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
JOBS = {"temporal-schema", "temporal-namespace"}
OURS = {name: each for name, each in SERVICES.items() if "build" in each and name != "sandbox"}
SETTINGS = {name.upper() for name in Settings.model_fields}
EXAMPLE = (ROOT / ".env.example").read_text()
README = (ROOT / "README.md").read_text()
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
    assert all(":?" in found for found in re.findall(r"\$\{[A-Z_]*(?:PASSWORD|TOKEN|SECRET|KEY)[^}]*\}", TEXT))


def test_our_containers_are_productions_unless_env_says_otherwise() -> None:
    """Where nobody says so, what is not encrypted would be taken, and plain http."""
    assert re.search(r"^ENV .*\bAPP_ENV=production\b", DOCKERFILE, re.MULTILINE)
    assert not any("APP_ENV" in service["environment"] for service in OURS.values())


def test_every_variable_given_to_our_own_is_a_setting() -> None:
    assert set(OURS) == {"worker", "web"}
    for service in OURS.values():
        assert set(service["environment"]) <= SETTINGS | {"TEMPORAL_ADDRESS"}


def test_no_container_makes_up_keys_that_the_others_do_not_have() -> None:
    for service in OURS.values():
        for name in ("PAYLOAD_KEYS", "LINK_KEYS"):
            assert service["environment"][name].startswith(f"${{{name}:?")


def test_every_container_knows_how_many_share_the_key_of_nexhealth() -> None:
    processes = sum(service.get("deploy", {}).get("replicas", 1) for service in OURS.values())
    assert {service["environment"]["NEXHEALTH_PROCESSES"] for service in OURS.values()} == {str(processes)}
    assert SERVICES["worker"]["deploy"]["replicas"] == 2
    assert "two workers" in README


def test_what_we_log_here_is_json() -> None:
    assert {service["environment"]["LOG_FORMAT"] for service in OURS.values()} == {"json"}


def test_payloads_are_decoded_inside_a_worker_only_and_the_readme_says_how() -> None:
    address = SERVICES["worker"]["environment"]["WORKER_HTTP_ADDRESS"]
    assert address.startswith("127.0.0.1:")
    assert "ports" not in SERVICES["worker"]
    assert "TEMPORAL_CODEC_ENDPOINT" not in SERVICES["temporal-ui"]["environment"]
    assert f"--codec-endpoint http://{address}/codec" in README


def test_the_example_of_env_has_all_that_compose_asks_for_and_no_secret() -> None:
    given = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    asked = set(re.findall(r"\$\{([A-Z_]+)", TEXT))
    assert asked == {"POSTGRES_PASSWORD", "PAYLOAD_KEYS", "LINK_KEYS"}
    assert asked <= set(given) <= asked | SETTINGS
    assert {name: value for name, value in given.items() if value} == {"APP_ENV": "production"}
    assert ".env.example" in TEXT
    assert ".env.example" in README


def test_the_example_of_env_has_all_that_the_sandbox_needs() -> None:
    given = dict(re.findall(r"^# ([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    assert given == {
        **sandbox_settings("http://sandbox:8090"),
        "APP_ENV": "development",
        "PUBLIC_BASE_URL": "http://web:8000",
    }


def test_locations_take_turns_as_in_the_demo_and_the_docs_say_how_elsewhere() -> None:
    written = yaml.safe_load((ROOT / "temporal-dynamic-config.yml").read_text())
    assert {key: json.dumps(only["value"]) for key, [only] in written.items()} == DYNAMIC_CONFIG
    temporal = SERVICES["temporal"]
    target = temporal["environment"]["DYNAMIC_CONFIG_FILE_PATH"]
    assert f"./temporal-dynamic-config.yml:{target}:ro" in temporal["volumes"]
    assert "temporal-dynamic-config.yml" in (ROOT / "docs" / "performance.md").read_text()


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
    environment = {"PATH": "/usr/bin:/bin", "POSTGRES_PASSWORD": "x", "PAYLOAD_KEYS": "x", "LINK_KEYS": "x"}
    command = [docker, "compose", "-f", "docker-compose.temporal.yml", "config", "--quiet", "--no-env-resolution"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
