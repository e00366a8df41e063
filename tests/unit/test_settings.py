"""Settings are checked together, and secrets are never shown."""

import asyncio
import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

from adapters.practice_file import read_practice
from devstack import ROOT, sandbox_settings
from domain.practice import Practice
from runtime.build import open_connections
from runtime.keys import payload_keyring
from settings import ConfigurationError, Settings, load_settings
from web.__main__ import run

KEY = "k1:" + base64.b64encode(b"x" * 32).decode()
ASCEND_ACCOUNT = {
    "ASCEND_CLIENT_ID": "id",
    "ASCEND_CLIENT_SECRET": "hush-hush",
    "ASCEND_ORGANIZATION_ID": "5f0000000000000000000001",
}


@pytest.fixture(autouse=True)
def _only_ascend_is_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in (*Settings.model_fields, "temporal_namespace", "temporal_profile", "temporal_config_file"):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    for name, value in ASCEND_ACCOUNT.items():
        monkeypatch.setenv(name, value)


def refusal() -> str:
    """Why the settings are refused, one problem a line."""
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    return str(refused.value)


def test_development_creates_its_own_key_readable_by_this_user_only(tmp_path: Path) -> None:
    settings = load_settings()
    assert payload_keyring(settings).secrets == payload_keyring(settings).secrets
    assert (tmp_path / "state/payload.keys").stat().st_mode & 0o777 == 0o600
    assert "hush" not in repr(settings)


def test_all_problems_are_reported_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ASCEND_CLIENT_SECRET")
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.secret-value")
    monkeypatch.setenv("PAYLOAD_KEYS", "short:abc")
    monkeypatch.setenv("WORKER_HTTP_ADDRESS", "0.0.0.0:8081")
    problems = refusal()
    for name in ("ASCEND_CLIENT_SECRET", "SENDGRID_FROM", "PAYLOAD_KEYS", "CODEC_TOKEN"):
        assert f"{name}:" in problems
    assert "secret-value" not in problems


@pytest.mark.parametrize("address", ["notanemail", "a@b", "a@example.com\nBcc: all@example.com", "@example.com"])
def test_sender_of_emails_is_an_email_address(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("SENDGRID_API_KEY", "SG.secret-value")
    monkeypatch.setenv("SENDGRID_FROM", address)
    assert "SENDGRID_FROM: must be an email address, such as bookings@example.com" in refusal().splitlines()
    monkeypatch.setenv("SENDGRID_FROM", "bookings@practice.example")
    load_settings()


def test_two_keys_with_the_same_id_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that the first key encrypted could be decrypted any more."""
    other_key = "k1:" + base64.b64encode(b"y" * 32).decode()
    for name in ("PAYLOAD_KEYS", "LINK_KEYS"):
        monkeypatch.setenv(name, f"{KEY},{other_key}")
    problems = refusal()
    for name in ("PAYLOAD_KEYS", "LINK_KEYS"):
        assert f"{name}: each key needs its own id" in problems


@pytest.mark.parametrize("url", ["https://host:abc", "https://[::1", "nexhealth.info", ""])
@pytest.mark.parametrize("app_env", ["development", "production"])
def test_malformed_url_is_reported_once(monkeypatch: pytest.MonkeyPatch, url: str, app_env: str) -> None:
    monkeypatch.setenv("APP_ENV", app_env)
    monkeypatch.setenv("NEXHEALTH_BASE_URL", url)
    (problem,) = (line for line in refusal().splitlines() if line.startswith("NEXHEALTH_BASE_URL:"))
    assert problem.startswith("NEXHEALTH_BASE_URL: must be a")


def test_trailing_slash_of_a_url_is_removed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_BASE_URL", "https://book.practice.example/")
    assert load_settings().public_base_url == "https://book.practice.example"


@pytest.mark.parametrize("directory", ["file", "file/state", "/proc"])
def test_unwritable_state_directory_is_reported_with_the_other_problems(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, directory: str
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STATE_DIR", str(tmp_path / directory))
    monkeypatch.setenv("LEDGER_URL", "foo")
    assert f"\nSTATE_DIR: {tmp_path / directory} is not writable: " in refusal()


@pytest.mark.parametrize("command", [["worker.py"], ["-m", "web"]])
def test_process_with_wrong_settings_prints_one_line_and_exits_with_2(tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "file").touch()
    environment = {**os.environ, "STATE_DIR": str(tmp_path / "file/state")}
    done = subprocess.run([sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.stderr == f"STATE_DIR: {tmp_path}/file/state is not writable: Not a directory\n"
    assert done.returncode == 2


def test_production_needs_no_state_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in (PRODUCTION | {"STATE_DIR": "/proc"}).items():
        monkeypatch.setenv(name, value)
    load_settings()


def test_production_refuses_the_sandbox_plain_http_and_missing_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ENV", "production")
    monkeypatch.setenv("ASCEND_BASE_URL", "http://127.0.0.1:8090")
    monkeypatch.setenv("ASCEND_CLIENT_ID", "sandbox-client")
    monkeypatch.setenv("NEXHEALTH_BASE_URL", "http://127.0.0.1:8090")
    monkeypatch.setenv("NEXHEALTH_API_KEY", "sandbox-nexhealth-key")
    problems = refusal()
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
        assert f"{name}:" in problems


def test_production_refuses_every_sandbox_credential(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("APP_ENV", "production")
    for name, value in sandbox_settings("https://sandbox.example").items():
        monkeypatch.setenv(name, value)
    problems = refusal()
    for name, value in sandbox_settings("").items():
        assert (f"{name}: is a sandbox credential" in problems) == ("sandbox" in value)


@pytest.mark.parametrize("url", ["foo", "sqlite://", "mysql://db/holdfast", "postgresql://db:port/holdfast"])
def test_unsupported_ledger_url_is_refused(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("LEDGER_URL", url)
    assert refusal().startswith("LEDGER_URL: must be sqlite:////path or postgresql://")


@pytest.mark.parametrize("name", ["WEB_ADDRESS", "WORKER_HTTP_ADDRESS", "METRICS_ADDRESS"])
@pytest.mark.parametrize("address", ["8000", ":8000", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000"])
def test_malformed_listen_address_is_refused(monkeypatch: pytest.MonkeyPatch, name: str, address: str) -> None:
    monkeypatch.setenv(name, address)
    assert f"{name}: must be host:port" in refusal()


def test_empty_listen_address_switches_off_all_but_web(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("WEB_ADDRESS", "WORKER_HTTP_ADDRESS", "METRICS_ADDRESS"):
        monkeypatch.setenv(name, "")
    assert refusal() == "WEB_ADDRESS: must be host:port, such as 127.0.0.1:8000"


def test_codec_beyond_loopback_needs_a_long_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORKER_HTTP_ADDRESS", "0.0.0.0:8081")
    monkeypatch.setenv("CODEC_TOKEN", "t" * 31)
    assert "CODEC_TOKEN:" in refusal()
    monkeypatch.setenv("CODEC_TOKEN", "t" * 32)
    load_settings()


def test_namespace_comes_from_the_variable_or_else_from_the_profile(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "temporal.toml"
    file.write_text('[profile.cloud]\nnamespace = "dental.a1b2c"\n')
    monkeypatch.setenv("TEMPORAL_CONFIG_FILE", str(file))
    assert load_settings().temporal_namespace == "default"
    monkeypatch.setenv("TEMPORAL_PROFILE", "cloud")
    assert load_settings().temporal_namespace == "dental.a1b2c"
    monkeypatch.setenv("TEMPORAL_NAMESPACE", "mine")
    assert load_settings().temporal_namespace == "mine"
    monkeypatch.setenv("TEMPORAL_PROFILE", "nowhere")
    assert "TEMPORAL_*: the Temporal SDK cannot use these settings: Profile 'nowhere' not found" in refusal()


async def missing_for(practice: Practice) -> set[str]:
    """The variables that the practice's connections need and that are not set."""
    try:
        async with open_connections(load_settings(), practice):
            return set()
    except ConfigurationError as error:
        return {problem.partition(":")[0] for problem in error.problems}


async def test_only_variables_that_the_connections_need_are_required(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ASCEND_ACCOUNT:
        monkeypatch.delenv(name)
    text, all_nexhealth = (ROOT / "practice.toml").read_text(), tmp_path / "practice.toml"
    all_nexhealth.write_text(text.replace('system = "ascend"', 'system = "ascend"\nkind = "nexhealth"'))
    nexhealth = {"NEXHEALTH_API_KEY", "NEXHEALTH_SUBDOMAIN"}
    assert await missing_for(read_practice(ROOT / "practice.toml")) == {*ASCEND_ACCOUNT, *nexhealth}
    assert await missing_for(read_practice(all_nexhealth)) == nexhealth
    for name in nexhealth:
        monkeypatch.setenv(name, "hush-hush")
    assert await missing_for(read_practice(all_nexhealth)) == set()


def test_incomplete_account_is_refused_and_secrets_are_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_complete_production_settings_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in PRODUCTION.items():
        monkeypatch.setenv(name, value)
    assert load_settings().is_production


def test_production_sends_a_temporal_api_key_over_tls_only(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (PRODUCTION | {"TEMPORAL_API_KEY": "hush-hush"}).items():
        monkeypatch.setenv(name, value)
    load_settings()
    monkeypatch.setenv("TEMPORAL_TLS", "false")
    assert refusal() == "TEMPORAL_TLS: is off; in production an API key is sent over TLS only"


async def test_webhook_receiver_does_not_start_in_production_without_a_secret(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    variables = {"PRACTICE_FILE": str(ROOT / "practice.toml"), "NEXHEALTH_WEBHOOK_SECRET": " , "}
    for name, value in (PRODUCTION | variables).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigurationError, match="NEXHEALTH_WEBHOOK_SECRET: is missing"):
        await run(load_settings(), asyncio.Event())
