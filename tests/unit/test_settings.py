"""Settings are judged together, and secrets are never shown."""

import asyncio
import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.practice_file import read_practice
from demo.stack import ROOT, sandbox_settings
from domain.practice import Practice
from runtime.build import connections
from settings import ConfigurationError, Settings, load_settings
from web.__main__ import run

KEY = "k1:" + base64.b64encode(b"x" * 32).decode()
GOOD = {
    "ASCEND_CLIENT_ID": "id",
    "ASCEND_CLIENT_SECRET": "hush-hush",
    "ASCEND_ORGANIZATION_ID": "5f0000000000000000000001",
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*Settings.model_fields, "temporal_namespace", "temporal_profile", "temporal_config_file"):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    for name, value in GOOD.items():
        monkeypatch.setenv(name, value)


def refusal() -> str:
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    return str(refused.value)


def test_development_makes_its_own_keys_and_keeps_them_private(tmp_path: Path) -> None:
    settings = load_settings()
    assert settings.payload_keyring.secrets == settings.payload_keyring.secrets
    assert (tmp_path / "state/payload.keys").stat().st_mode & 0o777 == 0o600
    assert "hush" not in repr(settings)


def test_every_problem_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASCEND_CLIENT_SECRET")
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.secret-value")
    monkeypatch.setenv("PAYLOAD_KEYS", "short:abc")
    monkeypatch.setenv("WORKER_HTTP_ADDRESS", "0.0.0.0:8081")
    told = refusal()
    for name in ("ASCEND_CLIENT_SECRET", "SENDGRID_FROM", "PAYLOAD_KEYS", "CODEC_TOKEN"):
        assert f"{name}:" in told
    assert "secret-value" not in told


def test_a_key_replaces_none_by_taking_its_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first one had encrypted could never be read again."""
    another = "k1:" + base64.b64encode(b"y" * 32).decode()
    for name in ("PAYLOAD_KEYS", "LINK_KEYS"):
        monkeypatch.setenv(name, f"{KEY},{another}")
    told = refusal()
    for name in ("PAYLOAD_KEYS", "LINK_KEYS"):
        assert f"{name}: each key needs an id of its own" in told


@pytest.mark.parametrize("url", ["https://host:abc", "https://[::1", "nexhealth.info", ""])
@pytest.mark.parametrize("place", ["development", "production"])
def test_an_address_that_is_none_is_named_once(monkeypatch: pytest.MonkeyPatch, url: str, place: str) -> None:
    monkeypatch.setenv("APP_ENV", place)
    monkeypatch.setenv("NEXHEALTH_BASE_URL", url)
    (told,) = (line for line in refusal().splitlines() if line.startswith("NEXHEALTH_BASE_URL:"))
    assert told.startswith("NEXHEALTH_BASE_URL: must be an")


def test_a_slash_at_the_end_of_an_address_makes_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://book.practice.example/")
    assert load_settings().public_base_url == "https://book.practice.example"


@pytest.mark.parametrize("place", ["file", "file/state", "/proc"])
def test_where_nothing_can_be_kept_is_told_with_all_else(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, place: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STATE_DIR", str(tmp_path / place))
    monkeypatch.setenv("LEDGER_URL", "foo")
    assert f"\nSTATE_DIR: nothing can be kept in {tmp_path / place}: " in refusal()


@pytest.mark.parametrize("command", [["worker.py"], ["-m", "web"]])
def test_a_process_with_wrong_settings_ends_with_a_line_and_its_own_code(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "file").touch()
    environment = {**os.environ, "STATE_DIR": str(tmp_path / "file/state")}
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stderr == f"STATE_DIR: nothing can be kept in {tmp_path}/file/state: Not a directory\n"
    assert done.returncode == 2


def test_production_needs_no_place_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in (PRODUCTION | {"STATE_DIR": "/proc"}).items():
        monkeypatch.setenv(name, value)
    load_settings()


def test_production_refuses_the_sandbox_plain_http_and_made_up_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ENV", "production")
    monkeypatch.setenv("ASCEND_BASE_URL", "http://127.0.0.1:8090")
    monkeypatch.setenv("ASCEND_CLIENT_ID", "sandbox-client")
    monkeypatch.setenv("NEXHEALTH_BASE_URL", "http://127.0.0.1:8090")
    monkeypatch.setenv("NEXHEALTH_API_KEY", "sandbox-nexhealth-key")
    told = refusal()
    for name in (
        "NEXHEALTH_BASE_URL",
        "NEXHEALTH_API_KEY",
        "ASCEND_BASE_URL",
        "ASCEND_CLIENT_ID",
        "PAYLOAD_KEYS",
        "LINK_KEYS",
        "LEDGER_URL",
        "PUBLIC_BASE_URL",
    ):
        assert f"{name}:" in told


def test_production_refuses_whatever_opens_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ENV", "production")
    for name, value in sandbox_settings("https://sandbox.example").items():
        monkeypatch.setenv(name, value)
    told = refusal()
    for name, value in sandbox_settings("").items():
        assert (f"{name}: is the sandbox's" in told) == ("sandbox" in value)


@pytest.mark.parametrize("url", ["foo", "sqlite://", "mysql://db/holdfast", "postgresql://db:port/holdfast"])
def test_what_is_no_ledgers_address_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("LEDGER_URL", url)
    assert refusal().startswith("LEDGER_URL: must be sqlite:////path or postgresql://")


@pytest.mark.parametrize("name", ["WEB_ADDRESS", "WORKER_HTTP_ADDRESS", "METRICS_ADDRESS"])
@pytest.mark.parametrize("address", ["8000", ":8000", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000"])
def test_what_is_no_address_to_listen_at_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, address: str) -> None:
    monkeypatch.setenv(name, address)
    assert f"{name}: must be host:port" in refusal()


def test_what_may_be_off_is_off_where_it_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WEB_ADDRESS", "WORKER_HTTP_ADDRESS", "METRICS_ADDRESS"):
        monkeypatch.setenv(name, "")
    assert refusal() == "WEB_ADDRESS: must be host:port, as in 127.0.0.1:8000"


def test_decoding_away_from_loopback_needs_a_long_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_HTTP_ADDRESS", "0.0.0.0:8081")
    monkeypatch.setenv("CODEC_TOKEN", "t" * 31)
    assert "CODEC_TOKEN:" in refusal()
    monkeypatch.setenv("CODEC_TOKEN", "t" * 32)
    load_settings()


def test_the_namespace_is_the_variables_else_the_profiles(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text('[profile.cloud]\nnamespace = "dental.a1b2c"\n')
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(file))
    assert load_settings().temporal_namespace == "default"
    monkeypatch.setenv("TEMPORAL_PROFILE", "cloud")
    assert load_settings().temporal_namespace == "dental.a1b2c"
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "mine")
    assert load_settings().temporal_namespace == "mine"
    monkeypatch.setenv("TEMPORAL_PROFILE", "nowhere")
    assert "TEMPORAL_*: Temporal's SDK cannot use them: Profile 'nowhere' not found" in refusal()


async def needed_by(practice: Practice) -> set[str]:
    """The variables whose lack the practice's connections complain of."""
    try:
        async with connections(load_settings(), practice):
            return set()
    except ConfigurationError as refused:
        return {problem.partition(":")[0] for problem in refused.problems}


async def test_only_what_the_practice_files_connections_need_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in GOOD:
        monkeypatch.delenv(name)
    text, behind = (ROOT / "practice.toml").read_text(), tmp_path / "practice.toml"
    behind.write_text(text.replace('system = "ascend"', 'system = "ascend"\nkind = "nexhealth"'))
    nexhealth = {"NEXHEALTH_API_KEY", "NEXHEALTH_SUBDOMAIN"}
    assert await needed_by(read_practice(ROOT / "practice.toml")) == {*GOOD, *nexhealth}
    assert await needed_by(read_practice(behind)) == nexhealth
    for name in nexhealth:
        monkeypatch.setenv(name, "hush-hush")
    assert await needed_by(read_practice(behind)) == set()


def test_an_account_is_given_as_a_whole_and_its_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEXHEALTH_API_KEY", "hush-hush")
    assert "NEXHEALTH_SUBDOMAIN:" in refusal()
    monkeypatch.setenv("NEXHEALTH_SUBDOMAIN", "bright-harbor")
    monkeypatch.setenv("NEXHEALTH_WEBHOOK_SECRET", "new-one, old-one,")
    monkeypatch.setenv("LEDGER_URL", "postgresql://holdfast:hush-hush@db/holdfast")
    settings = load_settings()
    assert settings.nexhealth_webhook_secrets == ("new-one", "old-one")
    assert "hush" not in repr(settings)
    assert "new-one" not in repr(settings)
    assert "hush" not in str(settings.model_dump())


PRODUCTION = {
    "APP_ENV": "production",
    "PAYLOAD_KEYS": KEY,
    "LINK_KEYS": KEY,
    "LEDGER_URL": "postgresql://db/holdfast",
    "PUBLIC_BASE_URL": "https://book.practice.example",
}


def test_production_starts_with_everything_in_place(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    assert load_settings().is_production


def test_in_production_a_key_for_temporal_travels_encrypted_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (PRODUCTION | {"TEMPORAL_API_KEY": "hush-hush"}).items():
        monkeypatch.setenv(name, value)
    load_settings()
    monkeypatch.setenv("TEMPORAL_TLS", "false")
    assert refusal() == "TEMPORAL_TLS: is off; production sends an API key over TLS only"


async def test_the_receiver_of_webhooks_does_not_start_in_production_where_it_could_believe_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given = {"PRACTICE_FILE": str(ROOT / "practice.toml"), "NEXHEALTH_WEBHOOK_SECRET": " , "}
    for name, value in (PRODUCTION | given).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="NEXHEALTH_WEBHOOK_SECRET: is missing"):
        await run(load_settings(), asyncio.Event())
