"""All settings, from the environment, judged together at start."""

import base64
import binascii
import os
import secrets
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, PositiveInt, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from temporalio.envconfig import ClientConfig, ClientConnectConfig

from runtime.codec import Keyring

VARIABLES = {
    "ascend": ["ascend_client_id", "ascend_client_secret", "ascend_organization_id"],
    "nexhealth": ["nexhealth_api_key", "nexhealth_subdomain"],
    "email": ["sendgrid_api_key", "sendgrid_from"],
    "sms": ["twilio_account_sid", "twilio_api_key_sid", "twilio_api_key_secret", "twilio_messaging_service_sid"],
}
"""Given together or not at all: what a kind of connection, or a channel, needs."""
LOOPBACK = ("127.0.0.1", "localhost", "::1")
TOKEN_LENGTH = 32
Address = Annotated[str, AfterValidator(lambda url: url.rstrip("/"))]
"""Paths are put behind it."""
URLS = ("ascend_base_url", "nexhealth_base_url", "sendgrid_base_url", "twilio_base_url", "public_base_url")
POSTGRESQL = ("postgresql", "postgresql+psycopg")


class ConfigurationError(ValueError):
    """The settings can't be used; each problem names the variable and what is allowed, never a secret's value."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Settings(BaseSettings):
    """One field a variable; TEMPORAL_* are read by the Temporal SDK itself."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    practice_file: Path = Path("practice.toml")
    app_env: Literal["development", "production"] = "development"
    state_dir: Path = Path(".holdfast")
    ledger_url: SecretStr = SecretStr("")
    """With its password, where it has one."""
    booking_task_queue: str = "bookings"
    payload_keys: SecretStr = SecretStr("")
    link_keys: SecretStr = SecretStr("")
    ascend_base_url: Address = "https://prod.hs1api.com"
    ascend_client_id: str = ""
    ascend_client_secret: SecretStr = SecretStr("")
    ascend_organization_id: str = ""
    ascend_connect_timeout: float = 5
    ascend_read_timeout: float = 15
    nexhealth_base_url: Address = "https://nexhealth.info"
    nexhealth_api_key: SecretStr = SecretStr("")
    nexhealth_subdomain: str = ""
    nexhealth_webhook_secret: SecretStr = SecretStr("")
    nexhealth_processes: PositiveInt = 1
    """Workers and receivers of webhooks that use the key at the same time: each keeps to its part of the pace."""
    nexhealth_connect_timeout: float = 5
    nexhealth_read_timeout: float = 15
    sendgrid_base_url: Address = "https://api.sendgrid.com"
    sendgrid_api_key: SecretStr = SecretStr("")
    sendgrid_from: str = ""
    twilio_base_url: Address = "https://api.twilio.com"
    twilio_account_sid: str = ""
    twilio_api_key_sid: str = ""
    twilio_api_key_secret: SecretStr = SecretStr("")
    twilio_messaging_service_sid: str = ""
    public_base_url: Address = ""
    web_address: str = "127.0.0.1:8000"
    """Where ``python -m web`` listens; a proxy with TLS stands in front of it."""
    worker_http_address: str = "127.0.0.1:8081"
    metrics_address: str = ""
    codec_token: SecretStr = SecretStr("")
    codec_origin: str = "http://127.0.0.1:8233"
    log_format: Literal["json", "console"] = "console"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def is_production(self) -> bool:
        return self.app_env == "production"

    @property
    def ledger(self) -> str:
        return _text(self, "ledger_url") or f"sqlite:///{self.state_dir.absolute()}/ledger.db"

    @property
    def nexhealth_webhook_secrets(self) -> tuple[str, ...]:
        """Several while one replaces another."""
        return tuple(secret.strip() for secret in _text(self, "nexhealth_webhook_secret").split(",") if secret.strip())

    @property
    def temporal(self) -> ClientConnectConfig:
        """How Temporal is reached: TEMPORAL_*, and the profile where there is one."""
        return ClientConfig.load_client_connect_config()

    @property
    def temporal_namespace(self) -> str:
        return self.temporal.get("namespace") or "default"

    @property
    def payload_keyring(self) -> Keyring:
        return _keyring(self.payload_keys, self.state_dir / "payload.keys")

    @property
    def link_keyring(self) -> Keyring:
        return _keyring(self.link_keys, self.state_dir / "link.keys")


def load_settings() -> Settings:
    """Raises ConfigurationError with every problem at once.

    Which practice systems must be reached the practice file says: ``missing`` is asked where one is opened.
    """
    try:
        settings = Settings()
    except ValidationError as refusal:
        raise ConfigurationError([f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in refusal.errors()]) from None
    problems = [
        *_incomplete(settings),
        *_key_problems(settings),
        *_ledger_problems(settings),
        *_temporal_problems(settings),
        *_url_problems(settings),
        *_address_problems(settings),
    ]
    problems += _production_problems(settings) if settings.is_production else make_state_dir(settings.state_dir)
    if problems:
        raise ConfigurationError(problems)
    return settings


def make_state_dir(path: Path) -> list[str]:
    """What stands against keeping anything there."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path):
            return []
    except OSError as wrong:
        return [f"STATE_DIR: nothing can be kept in {path}: {wrong.strerror}"]


def missing(settings: Settings, what: str) -> list[str]:
    """The variables without which this kind of connection, or this channel, is off."""
    return [name.upper() for name in VARIABLES[what] if not _text(settings, name)]


def _incomplete(settings: Settings) -> list[str]:
    problems = []
    for what, names in VARIABLES.items():
        without = missing(settings, what)
        if len(without) < len(names):
            problems += [f"{name}: is missing; {what} needs it" for name in without]
    return problems


def _key_problems(settings: Settings) -> list[str]:
    problems = []
    for name in ("payload_keys", "link_keys"):
        try:
            if _text(settings, name):
                _parse_keys(_text(settings, name))
        except ValueError as wrong:
            problems.append(f"{name.upper()}: {wrong}")
    return problems


def _ledger_problems(settings: Settings) -> list[str]:
    try:
        url = make_url(settings.ledger)
        usable = bool(url.database) if url.drivername == "sqlite" else url.drivername in POSTGRESQL
    except (ArgumentError, ValueError):
        usable = False
    return [] if usable else ["LEDGER_URL: must be sqlite:////path or postgresql://user:password@host/database"]


def _temporal_problems(settings: Settings) -> list[str]:
    try:
        temporal = settings.temporal
    except (RuntimeError, OSError) as wrong:
        return [f"TEMPORAL_*: Temporal's SDK cannot use them: {str(wrong).splitlines()[0]}"]
    if settings.is_production and temporal.get("api_key") and not temporal.get("tls"):
        return ["TEMPORAL_TLS: is off; production sends an API key over TLS only"]
    return []


def _url_problems(settings: Settings) -> list[str]:
    problems = []
    for name in URLS:
        url = _text(settings, name)
        if settings.is_production:
            if not _is_public_url(url):
                problems.append(f"{name.upper()}: must be an https address without user info, not on this machine")
        elif not _is_url(url) and (url or name != "public_base_url"):
            problems.append(f"{name.upper()}: must be an address, as in https://example.com")
    return problems


def _address_problems(settings: Settings) -> list[str]:
    problems = []
    for name in ("web_address", "worker_http_address", "metrics_address"):
        address = _text(settings, name)
        is_off = not address and name != "web_address"
        if not is_off and not _is_address(address):
            problems.append(f"{name.upper()}: must be host:port, as in 127.0.0.1:8000")
    host = settings.worker_http_address.rpartition(":")[0]
    if host and host not in LOOPBACK and len(_text(settings, "codec_token")) < TOKEN_LENGTH:
        problems.append(f"CODEC_TOKEN: decoding away from loopback needs a token of {TOKEN_LENGTH} characters or more")
    return problems


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return False


def _is_public_url(text: str) -> bool:
    url = urlsplit(text if _is_url(text) else "")
    return url.scheme == "https" and not url.username and url.hostname not in LOOPBACK


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 65536


def _production_problems(settings: Settings) -> list[str]:
    problems = []
    for name in ("payload_keys", "link_keys", "ledger_url"):
        if not _text(settings, name):
            problems.append(f"{name.upper()}: is missing; production makes none up")
    for name in (
        "ascend_client_id",
        "ascend_client_secret",
        "nexhealth_api_key",
        "sendgrid_api_key",
        "twilio_api_key_secret",
    ):
        if "sandbox" in _text(settings, name):
            problems.append(f"{name.upper()}: is the sandbox's; production refuses it")
    return problems


def _text(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _keyring(value: SecretStr, path: Path) -> Keyring:
    return Keyring(_parse_keys(value.get_secret_value() or _kept_key(path)))


def _kept_key(path: Path) -> str:
    """Development's own key, made once and readable by this user alone."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        text = f"dev:{base64.b64encode(secrets.token_bytes(32)).decode()}"
        scratch = path.with_suffix(f".{os.getpid()}")
        with os.fdopen(os.open(scratch, os.O_CREAT | os.O_WRONLY | os.O_EXCL, 0o600), "w") as file:
            file.write(text)
        try:
            os.link(scratch, path)  # whoever is first wins; nobody's key is overwritten
        except FileExistsError:
            pass
        finally:
            scratch.unlink()
    return path.read_text()


def _parse_keys(text: str) -> dict[str, bytes]:
    keys: dict[str, bytes] = {}
    for entry in text.split(","):
        key_id, _, encoded = entry.strip().partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not key_id or len(key) != 32:
            raise ValueError("must be id:base64 of 32 bytes, several separated by commas; the first encrypts")
        if key_id in keys:
            raise ValueError("each key needs an id of its own")
        keys[key_id] = key
    return keys
