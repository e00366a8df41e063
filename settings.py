"""All settings, read from environment variables and checked together at start.

This module imports nothing of Holdfast, so that every other module may import it.
"""

import base64
import binascii
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, PositiveInt, SecretStr, ValidationError, validate_email
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError
from temporalio.envconfig import ClientConfig, ClientConnectConfig

VARIABLE_GROUPS = {
    "ascend": ["ascend_client_id", "ascend_client_secret", "ascend_organization_id"],
    "nexhealth": ["nexhealth_api_key", "nexhealth_subdomain"],
    "email": ["sendgrid_api_key", "sendgrid_from"],
    "sms": ["twilio_account_sid", "twilio_api_key_sid", "twilio_api_key_secret", "twilio_messaging_service_sid"],
}
"""What each kind of connection and each message channel needs. A group is set completely or not at all."""
LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "::1")
MIN_CODEC_TOKEN_LENGTH = 32
KEY_BYTES = 32
BaseUrl = Annotated[str, AfterValidator(lambda url: url.rstrip("/"))]
"""Without a slash at the end, because callers append paths."""
URL_SETTINGS = ("ascend_base_url", "nexhealth_base_url", "sendgrid_base_url", "twilio_base_url", "public_base_url")
LISTEN_ADDRESS_SETTINGS = ("web_address", "worker_http_address", "metrics_address")
KEY_SETTINGS = ("payload_keys", "link_keys")
POSTGRESQL_DRIVERS = ("postgresql", "postgresql+psycopg")
CREDENTIALS_OF_SANDBOX = (
    "ascend_client_id",
    "ascend_client_secret",
    "nexhealth_api_key",
    "sendgrid_api_key",
    "twilio_api_key_secret",
)
"""Credentials that contain the word "sandbox" when they are the sandbox's."""


class ConfigurationError(ValueError):
    """The settings cannot be used. Each problem names the variable and the allowed values, never a secret's value."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Settings(BaseSettings):
    """One field for each environment variable. The Temporal SDK reads TEMPORAL_* itself."""

    model_config = SettingsConfigDict(extra="ignore", hide_input_in_errors=True)

    practice_file: Path = Path("practice.toml")
    app_env: Literal["development", "production"] = "development"
    state_dir: Path = Path(".holdfast")
    ledger_url: SecretStr = SecretStr("")
    """A secret, because it may contain the database password. Empty: SQLite in ``state_dir``."""
    booking_task_queue: str = "bookings"
    payload_keys: SecretStr = SecretStr("")
    link_keys: SecretStr = SecretStr("")
    ascend_base_url: BaseUrl = "https://prod.hs1api.com"
    ascend_client_id: str = ""
    ascend_client_secret: SecretStr = SecretStr("")
    ascend_organization_id: str = ""
    ascend_connect_timeout: float = 5
    """Seconds, as all timeouts here."""
    ascend_read_timeout: float = 15
    nexhealth_base_url: BaseUrl = "https://nexhealth.info"
    nexhealth_api_key: SecretStr = SecretStr("")
    nexhealth_subdomain: str = ""
    nexhealth_webhook_secret: SecretStr = SecretStr("")
    nexhealth_processes: PositiveInt = 1
    """How many workers and webhook receivers share the API key. Each process uses its part of the rate limit."""
    nexhealth_connect_timeout: float = 5
    nexhealth_read_timeout: float = 15
    sendgrid_base_url: BaseUrl = "https://api.sendgrid.com"
    sendgrid_api_key: SecretStr = SecretStr("")
    sendgrid_from: str = ""
    twilio_base_url: BaseUrl = "https://api.twilio.com"
    twilio_account_sid: str = ""
    twilio_api_key_sid: str = ""
    twilio_api_key_secret: SecretStr = SecretStr("")
    twilio_messaging_service_sid: str = ""
    public_base_url: BaseUrl = ""
    web_address: str = "127.0.0.1:8000"
    """Where ``python -m web`` listens. A TLS proxy stands in front of it."""
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
    def effective_ledger_url(self) -> str:
        """LEDGER_URL, or SQLite in the state directory when it is empty."""
        return _plain_value(self, "ledger_url") or f"sqlite:///{self.state_dir.absolute()}/ledger.db"

    @property
    def nexhealth_webhook_secrets(self) -> tuple[str, ...]:
        """All secrets that may sign a webhook. There are several while one replaces another."""
        secrets = _plain_value(self, "nexhealth_webhook_secret").split(",")
        return tuple(secret.strip() for secret in secrets if secret.strip())

    @property
    def temporal_config(self) -> ClientConnectConfig:
        """How to connect to Temporal: from TEMPORAL_* and from the profile, if there is one."""
        return ClientConfig.load_client_connect_config()

    @property
    def temporal_namespace(self) -> str:
        return self.temporal_config.get("namespace") or "default"


def load_settings() -> Settings:
    """Read and check the settings. Raises ConfigurationError with every problem at once.

    Which practice systems need credentials depends on the practice file, so that is checked where one is opened
    (``runtime.required_settings``).
    """
    try:
        settings = Settings()
    except ValidationError as error:
        raise ConfigurationError([f"{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors()]) from None
    problems = [
        *_incomplete_groups(settings),
        *_key_problems(settings),
        *_ledger_problems(settings),
        *_temporal_problems(settings),
        *_url_problems(settings),
        *_listen_address_problems(settings),
        *_sender_problems(settings),
    ]
    problems += _production_problems(settings) if settings.is_production else make_state_dir(settings.state_dir)
    if problems:
        raise ConfigurationError(problems)
    return settings


def make_state_dir(path: Path) -> list[str]:
    """Create the directory and check that it is writable. Returns the problem, if there is one."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        with TemporaryFile(dir=path):
            return []
    except OSError as error:
        return [f"STATE_DIR: {path} is not writable: {error.strerror}"]


def missing_variables(settings: Settings, group: str) -> list[str]:
    """Variables of this group (a key of ``VARIABLE_GROUPS``) that are not set."""
    return [name.upper() for name in VARIABLE_GROUPS[group] if not _plain_value(settings, name)]


def parse_keys(text: str) -> dict[str, bytes]:
    """Keys by id, in order, from ``id:base64,id:base64``. Raises ValueError, which never quotes a key."""
    keys: dict[str, bytes] = {}
    for entry in text.split(","):
        key_id, _, encoded = entry.strip().partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            key = b""
        if not key_id or len(key) != KEY_BYTES:
            raise ValueError(
                f"must be id:base64 of {KEY_BYTES} bytes; separate several with commas; the first key encrypts"
            )
        if key_id in keys:
            raise ValueError("each key needs its own id")
        keys[key_id] = key
    return keys


def _incomplete_groups(settings: Settings) -> list[str]:
    problems = []
    for group, names in VARIABLE_GROUPS.items():
        missing = missing_variables(settings, group)
        if len(missing) < len(names):
            problems += [f"{name}: is missing; {group} needs it" for name in missing]
    return problems


def _key_problems(settings: Settings) -> list[str]:
    problems = []
    for name in KEY_SETTINGS:
        try:
            if _plain_value(settings, name):
                parse_keys(_plain_value(settings, name))
        except ValueError as error:
            problems.append(f"{name.upper()}: {error}")
    return problems


def _ledger_problems(settings: Settings) -> list[str]:
    try:
        url = make_url(settings.effective_ledger_url)
        is_usable = bool(url.database) if url.drivername == "sqlite" else url.drivername in POSTGRESQL_DRIVERS
    except (ArgumentError, ValueError):
        is_usable = False
    return [] if is_usable else ["LEDGER_URL: must be sqlite:////path or postgresql://user:password@host/database"]


def _temporal_problems(settings: Settings) -> list[str]:
    try:
        config = settings.temporal_config
    except (RuntimeError, OSError) as error:
        return [f"TEMPORAL_*: the Temporal SDK cannot use these settings: {str(error).splitlines()[0]}"]
    if settings.is_production and config.get("api_key") and not config.get("tls"):
        return ["TEMPORAL_TLS: is off; in production an API key is sent over TLS only"]
    return []


def _url_problems(settings: Settings) -> list[str]:
    problems = []
    for name in URL_SETTINGS:
        url = _plain_value(settings, name)
        if settings.is_production:
            if not _is_public_url(url):
                problems.append(f"{name.upper()}: must be an https URL without user info and not on this machine")
        elif not _is_url(url) and (url or name != "public_base_url"):
            problems.append(f"{name.upper()}: must be a URL such as https://example.com")
    return problems


def _listen_address_problems(settings: Settings) -> list[str]:
    problems = []
    for name in LISTEN_ADDRESS_SETTINGS:
        address = _plain_value(settings, name)
        is_off = not address and name != "web_address"
        if not is_off and not _is_listen_address(address):
            problems.append(f"{name.upper()}: must be host:port, such as 127.0.0.1:8000")
    host = settings.worker_http_address.rpartition(":")[0]
    if host and host not in LOOPBACK_HOSTS and len(_plain_value(settings, "codec_token")) < MIN_CODEC_TOKEN_LENGTH:
        problems.append(
            f"CODEC_TOKEN: must have {MIN_CODEC_TOKEN_LENGTH} characters or more when WORKER_HTTP_ADDRESS is not "
            "a loopback address"
        )
    return problems


def _sender_problems(settings: Settings) -> list[str]:
    try:
        if settings.sendgrid_from:
            validate_email(settings.sendgrid_from)
    except PydanticCustomError:
        return ["SENDGRID_FROM: must be an email address, such as bookings@example.com"]
    return []


def _is_url(text: str) -> bool:
    try:
        url = urlsplit(text)
        return url.scheme in ("http", "https") and bool(url.hostname) and url.port != 0
    except ValueError:
        return False


def _is_public_url(text: str) -> bool:
    url = urlsplit(text if _is_url(text) else "")
    return url.scheme == "https" and not url.username and url.hostname not in LOOPBACK_HOSTS


def _is_listen_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdecimal() and 0 < int(port) < 65536


def _production_problems(settings: Settings) -> list[str]:
    problems = []
    for name in (*KEY_SETTINGS, "ledger_url"):
        if not _plain_value(settings, name):
            problems.append(f"{name.upper()}: is missing; in production it must be set")
    for name in CREDENTIALS_OF_SANDBOX:
        if "sandbox" in _plain_value(settings, name):
            problems.append(f"{name.upper()}: is a sandbox credential; production refuses it")
    return problems


def _plain_value(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
