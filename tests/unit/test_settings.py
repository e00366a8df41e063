"""Settings are checked together, and secrets are never shown."""

import asyncio
import base64
import os
import subprocess
import sys
from pathlib import Path

import pytest

import worker
from adapters.practice_file import read_practice
from devstack import ROOT, sandbox_settings
from domain.practice import Practice
from runtime.build import open_connections
from settings import ConfigurationError, Settings, load_settings
from web.__main__ import run


def key_text(key: bytes, key_id: str = "k1") -> str:
    return f"{key_id}:{base64.b64encode(key).decode()}"


KEY = key_text(b"x" * 32)
ASCEND_ACCOUNT = {
    "ASCEND_CLIENT_ID": "id",
    "ASCEND_CLIENT_SECRET": "hush-hush",
    "ASCEND_ORGANIZATION_ID": "5f0000000000000000000001",
}


@pytest.fixture(autouse=True)
def _only_ascend_is_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    outside = (
        "temporal_namespace",
        "temporal_profile",
        "temporal_config_file",
        "temporal_address",
        "pghost",
        "pgsslmode",
    )
    for name in (*Settings.model_fields, *outside):
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    for name, value in ASCEND_ACCOUNT.items():
        monkeypatch.setenv(name, value)


def refusal() -> str:
    """Why the settings are refused, one problem a line."""
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    return str(refused.value)


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


@pytest.mark.parametrize("token", ["", "t" * 31])
async def test_worker_does_not_start_in_production_without_a_codec_token(
    monkeypatch: pytest.MonkeyPatch, token: str
) -> None:
    """Also when it listens on this machine only: every program here could read every booking."""
    monkeypatch.setenv("CODEC_TOKEN", token)
    settings = load_settings().model_copy(update={"app_env": "production"})
    with pytest.raises(ConfigurationError, match="CODEC_TOKEN: must have 32 characters"):
        await worker.run(settings, asyncio.Event())


@pytest.mark.parametrize(
    "origin", ["*", "", "https://*", "null", "https://ui.example/path", "https://a.example,https://b"]
)
def test_codec_has_one_origin(monkeypatch: pytest.MonkeyPatch, origin: str) -> None:
    monkeypatch.setenv("CODEC_ORIGIN", origin)
    assert "CODEC_ORIGIN: must be one origin" in refusal()


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
    "PAYLOAD_KEYS": key_text(bytes(range(32))),
    "LINK_KEYS": key_text(bytes(range(32, 64))),
    "LEDGER_URL": "postgresql://db/holdfast?sslmode=verify-full",
    "PUBLIC_BASE_URL": "https://book.practice.example",
}


def set_production(monkeypatch: pytest.MonkeyPatch, **changes: str) -> None:
    for name, value in (PRODUCTION | changes).items():
        monkeypatch.setenv(name, value)


def test_complete_production_settings_are_accepted(monkeypatch: pytest.MonkeyPatch) -> None:
    set_production(monkeypatch)
    assert load_settings().is_production


HIDDEN_OR_LOCAL_HOSTS = [
    *("127.0.0.1", "127.9.9.9", "localhost", "x.localhost", "[::1]", "0.0.0.0", "[::]"),
    *("169.254.169.254", "[fe80::1]", "metadata.google.internal", "[fd00:ec2::254]", "100.100.100.200"),
    *("[::ffff:10.0.0.1]", "[::ffff:8.8.8.8]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]", "224.0.0.1"),
    *(
        "127.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "017700000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "api.example.com.",
    ),
]
PRIVATE_HOSTS = [
    "10.0.0.7",
    "172.16.3.4",
    "192.168.1.1",
    "100.64.0.1",
    "[fd12::1]",
    "vendor",
    "vendor.internal",
    "vendor.lan",
]


@pytest.mark.parametrize("host", HIDDEN_OR_LOCAL_HOSTS)
@pytest.mark.parametrize("allow", ["true", "false"])
def test_production_refuses_hosts_that_are_local_or_hide_where_they_lead(
    monkeypatch: pytest.MonkeyPatch, host: str, allow: str
) -> None:
    for name in ("ASCEND_BASE_URL", "NEXHEALTH_BASE_URL", "SENDGRID_BASE_URL", "TWILIO_BASE_URL", "PUBLIC_BASE_URL"):
        with monkeypatch.context() as patch:
            set_production(patch, **{name: f"https://{host}:8443/path", "ALLOW_PRIVATE_NETWORK": allow})
            assert refusal().startswith(f"{name}: must be a public host, written in its usual form")


@pytest.mark.parametrize("host", PRIVATE_HOSTS)
def test_production_uses_private_hosts_only_when_told_to(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    set_production(monkeypatch, ASCEND_BASE_URL=f"https://{host}")
    assert refusal() == (
        "ASCEND_BASE_URL: must be a public host; this one is in a private network; "
        "set ALLOW_PRIVATE_NETWORK=true if that network is yours alone"
    )
    monkeypatch.setenv("ALLOW_PRIVATE_NETWORK", "true")
    load_settings()


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://user@api.example.com", "without user info"),
        ("https://user:hush-hush@api.example.com", "without user info"),
        ("https://:hush-hush@api.example.com", "without user info"),
        ("https://@api.example.com", "without user info"),
        ("https://api.example.com?x=1", "plain ASCII characters"),
        ("https://api.example.com#x", "plain ASCII characters"),
        ("https://\uff11\uff12\uff17.0.0.1", "plain ASCII characters"),
        ("https://api.example\u3002com", "plain ASCII characters"),
        ("http://api.example.com", "must be an https URL"),
        ("ftp://api.example.com", "must be an https URL"),
    ],
)
def test_production_refuses_urls_of_an_unusual_form(monkeypatch: pytest.MonkeyPatch, url: str, problem: str) -> None:
    set_production(monkeypatch, NEXHEALTH_BASE_URL=url)
    assert refusal().startswith("NEXHEALTH_BASE_URL: must be ")
    assert problem in refusal()
    assert "hush" not in refusal()


@pytest.mark.parametrize("host", ["api.example.com", "8.8.8.8", "[2606:4700::1111]", "0x.example.com", "1and1.com"])
def test_production_accepts_public_hosts(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    set_production(monkeypatch, ASCEND_BASE_URL=f"https://{host}")
    load_settings()


@pytest.mark.parametrize("query", ["", "?sslmode=disable", "?sslmode=allow", "?sslmode=prefer"])
@pytest.mark.parametrize("host", ["db.example.com", "db", "10.0.0.7"])
def test_production_reaches_postgresql_elsewhere_over_tls_only(
    monkeypatch: pytest.MonkeyPatch, host: str, query: str
) -> None:
    set_production(monkeypatch, LEDGER_URL=f"postgresql://holdfast:hush-hush@{host}/holdfast{query}")
    assert refusal().startswith("LEDGER_URL: PostgreSQL is on another machine; add ?sslmode=")
    assert "hush" not in refusal()
    with monkeypatch.context() as patch:
        patch.setenv("PGSSLMODE", "require")
        assert bool(query) == bool(_refused())
    monkeypatch.setenv("ALLOW_PRIVATE_NETWORK", "true")
    assert bool(_refused()) == (host == "db.example.com")


def _refused() -> str:
    try:
        load_settings()
    except ConfigurationError as error:
        return str(error)
    return ""


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://db.example.com/holdfast?sslmode=require",
        "postgresql://127.0.0.1/holdfast",
        "postgresql:///holdfast?host=/var/run/postgresql",
        "sqlite:////var/lib/holdfast/ledger.db",
    ],
)
def test_production_accepts_a_ledger_on_this_machine_or_over_tls(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    set_production(monkeypatch, LEDGER_URL=url)
    load_settings()


def test_every_host_of_the_ledger_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    set_production(monkeypatch, LEDGER_URL="postgresql:///holdfast?host=127.0.0.1,db.example.com")
    assert refusal().startswith("LEDGER_URL: PostgreSQL is on another machine")


@pytest.mark.parametrize("address", ["temporal.example.com:7233", "temporal:7233", "10.0.0.7:7233"])
def test_production_reaches_temporal_elsewhere_over_tls_only(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    set_production(monkeypatch, TEMPORAL_ADDRESS=address)
    assert refusal() == (
        "TEMPORAL_TLS: is off, and Temporal is on another machine; set TEMPORAL_TLS=true, or "
        "set ALLOW_PRIVATE_NETWORK=true if that network is yours alone"
    )
    with monkeypatch.context() as patch:
        patch.setenv("TEMPORAL_TLS", "true")
        load_settings()
    monkeypatch.setenv("ALLOW_PRIVATE_NETWORK", "true")
    assert bool(_refused()) == address.startswith("temporal.example.com")


@pytest.mark.parametrize("name", ["PAYLOAD_KEYS", "LINK_KEYS"])
@pytest.mark.parametrize("key", [bytes(32), b"x" * 32, b"abcdefg" * 4 + b"abcd"])
def test_production_refuses_a_key_that_is_not_random(monkeypatch: pytest.MonkeyPatch, name: str, key: bytes) -> None:
    set_production(monkeypatch)
    monkeypatch.setenv(name, f"{PRODUCTION[name]},{key_text(key, 'k2')}")
    assert refusal() == f"{name}: key k2 is not random; create one as docs/configuration.md shows"


def test_production_refuses_one_secret_for_two_purposes(monkeypatch: pytest.MonkeyPatch) -> None:
    for changes, second, first in [
        ({"LINK_KEYS": PRODUCTION["PAYLOAD_KEYS"]}, "LINK_KEYS", "PAYLOAD_KEYS"),
        ({"NEXHEALTH_WEBHOOK_SECRET": PRODUCTION["LINK_KEYS"][3:]}, "NEXHEALTH_WEBHOOK_SECRET", "LINK_KEYS"),
        (
            {"NEXHEALTH_WEBHOOK_SECRET": f"other-secret-text,{PRODUCTION['LINK_KEYS']}"},
            "NEXHEALTH_WEBHOOK_SECRET",
            "LINK_KEYS",
        ),
        ({"CODEC_TOKEN": "s" * 40, "NEXHEALTH_WEBHOOK_SECRET": "s" * 40}, "CODEC_TOKEN", "NEXHEALTH_WEBHOOK_SECRET"),
    ]:
        with monkeypatch.context() as patch:
            set_production(patch, **changes)
            assert refusal() == f"{second}: has the same secret as {first}; create one for each purpose"


@pytest.mark.parametrize("secret", ["s", "s" * 15, "a-long-enough-secret,s"])
def test_production_refuses_a_short_webhook_secret(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    set_production(monkeypatch, NEXHEALTH_WEBHOOK_SECRET=secret)
    assert refusal() == "NEXHEALTH_WEBHOOK_SECRET: each must have 16 characters or more"


@pytest.mark.parametrize("seconds", ["-1", "0", "nan", "inf", "-inf", "0.01", "61", "1e9"])
def test_timeout_that_no_call_could_keep_is_refused(monkeypatch: pytest.MonkeyPatch, seconds: str) -> None:
    names = ["ASCEND_CONNECT_TIMEOUT", "ASCEND_READ_TIMEOUT", "NEXHEALTH_CONNECT_TIMEOUT", "NEXHEALTH_READ_TIMEOUT"]
    for name in names:
        monkeypatch.setenv(name, seconds)
    assert refusal().splitlines() == [f"{name}: must be a number of seconds from 0.1 to 60" for name in names]


def test_production_sends_a_temporal_api_key_over_tls_only(monkeypatch: pytest.MonkeyPatch) -> None:
    set_production(monkeypatch, TEMPORAL_API_KEY="hush-hush")
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
