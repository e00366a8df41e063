"""All settings, read from environment variables and checked together at start.

This module imports nothing of Holdfast, so that every other module may import it.
"""

import base64
import binascii
import ipaddress
import math
import os
import re
from collections.abc import Iterator, Sequence
from enum import Enum, auto
from pathlib import Path
from tempfile import TemporaryFile
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, PositiveInt, SecretStr, ValidationError, validate_email
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict
from sqlalchemy.engine import URL, make_url
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
METADATA_HOSTS = ("metadata.google.internal", "fd00:ec2::254", "100.100.100.200")
"""Where clouds hand out credentials, besides 169.254.169.254, which is link-local."""
PRIVATE_SUFFIXES = (".local", ".localdomain", ".internal", ".intranet", ".lan", ".home.arpa")
MIN_CODEC_TOKEN_LENGTH = 32
MIN_WEBHOOK_SECRET_LENGTH = 16
KEY_BYTES = 32
MIN_DISTINCT_KEY_BYTES = 8
"""32 random bytes have fewer different values once in 10^40 keys. A key that has fewer was typed, not created."""
MIN_TIMEOUT, MAX_TIMEOUT = 0.1, 60.0
"""Seconds. An attempt of an activity makes up to six calls one after the other, and ends after 100 seconds."""
BaseUrl = Annotated[str, AfterValidator(lambda url: url.rstrip("/"))]
"""Without a slash at the end, because callers append paths."""


def _check_timeout(seconds: float) -> float:
    if not math.isfinite(seconds) or not MIN_TIMEOUT <= seconds <= MAX_TIMEOUT:
        raise ValueError(f"must be a number of seconds from {MIN_TIMEOUT:g} to {MAX_TIMEOUT:g}")
    return seconds


Timeout = Annotated[float, AfterValidator(_check_timeout)]
"""Seconds."""
URL_SETTINGS = ("ascend_base_url", "nexhealth_base_url", "sendgrid_base_url", "twilio_base_url", "public_base_url")
LISTEN_ADDRESS_SETTINGS = ("web_address", "worker_http_address", "metrics_address")
KEY_SETTINGS = ("payload_keys", "link_keys")
POSTGRESQL_DRIVERS = ("postgresql", "postgresql+psycopg")
ENCRYPTED_SSL_MODES = ("require", "verify-ca", "verify-full")
"""PostgreSQL's other modes send the password and the data in clear if the server has no TLS."""
DEFAULT_TEMPORAL_ADDRESS = "127.0.0.1:7233"
ALLOW_PRIVATE = "set ALLOW_PRIVATE_NETWORK=true if that network is yours alone"
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
    allow_private_network: bool = False
    """In production: names without a dot and private addresses may be used, also without TLS for Temporal and
    PostgreSQL. For containers on one private network."""
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
    ascend_connect_timeout: Timeout = 5
    ascend_read_timeout: Timeout = 15
    nexhealth_base_url: BaseUrl = "https://nexhealth.info"
    nexhealth_api_key: SecretStr = SecretStr("")
    nexhealth_subdomain: str = ""
    nexhealth_webhook_secret: SecretStr = SecretStr("")
    nexhealth_workers: PositiveInt = 1
    """How many workers share the API key. Each uses its part of the rate limit; the webhook receiver is not counted."""
    nexhealth_connect_timeout: Timeout = 5
    nexhealth_read_timeout: Timeout = 15
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
    plain_decisions: Literal["", "accept", "refuse"] = ""
    """Whether a signal in clear may decide a booking. Empty: accepted in development, refused in production."""
    codec_token: SecretStr = SecretStr("")
    codec_host: str = ""
    """The host name by which Temporal's UI reaches the codec, besides that of ``worker_http_address``."""
    codec_origin: str = "http://127.0.0.1:8233"
    log_format: Literal["json", "console"] = "console"
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @property
    def is_production(self) -> bool:
        return self.app_env == "production"

    @property
    def accepts_plain_decisions(self) -> bool:
        return self.plain_decisions == "accept" or (not self.plain_decisions and not self.is_production)

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
        raise ConfigurationError([_text_of(problem) for problem in error.errors()]) from None
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


def _text_of(problem: Any) -> str:
    return f"{str(problem['loc'][0]).upper()}: {problem['msg'].removeprefix('Value error, ')}"


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
        key = _decoded_key(encoded)
        if not key_id or not key:
            raise ValueError(
                f"must be id:base64 of {KEY_BYTES} bytes; separate several with commas; the first key encrypts"
            )
        if key_id in keys:
            raise ValueError("each key needs its own id")
        keys[key_id] = key
    return keys


def _decoded_key(text: str) -> bytes:
    """The key, or nothing when the text is not one."""
    try:
        key = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return key if len(key) == KEY_BYTES else b""


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
    if not settings.is_production or config.get("tls"):
        return []
    if config.get("api_key"):
        return ["TEMPORAL_TLS: is off; in production an API key is sent over TLS only"]
    host = config.get("target_host", DEFAULT_TEMPORAL_ADDRESS).rpartition(":")[0].strip("[]")
    if _may_be_reached_in_clear(host, settings):
        return []
    return [f"TEMPORAL_TLS: is off, and Temporal is on another machine; set TEMPORAL_TLS=true, or {ALLOW_PRIVATE}"]


def _url_problems(settings: Settings) -> list[str]:
    problems = []
    for name in URL_SETTINGS:
        url = _plain_value(settings, name)
        if settings.is_production:
            problem = _public_url_problem(url, settings)
            problems += [f"{name.upper()}: {problem}"] if problem else []
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
    if not _is_origin(settings.codec_origin):
        problems.append("CODEC_ORIGIN: must be one origin, such as https://temporal.example.com")
    return problems


def _is_origin(text: str) -> bool:
    """A scheme, a host and perhaps a port. A star would let every web page use the codec."""
    return _is_url(text) and re.fullmatch(r"https?://[A-Za-z0-9.:\[\]-]+", text) is not None


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


def _public_url_problem(text: str, settings: Settings) -> str:
    """Why production does not send patients' data to this URL. Empty when it does."""
    url = urlsplit(text) if _is_url(text) else None
    if url is None or url.scheme != "https" or not url.hostname:
        return "must be an https URL such as https://example.com"
    if "@" in url.netloc:
        return "must be a URL without user info (no user:password@)"
    if not text.isascii() or not text.isprintable() or " " in text or url.query or url.fragment:
        return "must be a URL of plain ASCII characters without ? and #"
    reach = reach_of(url.hostname)
    if reach is Reach.PRIVATE and not settings.allow_private_network:
        return f"must be a public host; this one is in a private network; {ALLOW_PRIVATE}"
    if reach in (Reach.THIS_MACHINE, Reach.FORBIDDEN):
        return "must be a public host, written in its usual form: not this machine, link-local or a cloud's metadata"
    return ""


class Reach(Enum):
    """Where a host is, judged by how it is written."""

    PUBLIC = auto()
    PRIVATE = auto()
    THIS_MACHINE = auto()
    FORBIDDEN = auto()
    """Link-local, a cloud's metadata service, or a form of writing that hides where it leads."""


def reach_of(host: str) -> Reach:
    host = host.lower()
    if host in METADATA_HOSTS or host.endswith("."):
        return Reach.FORBIDDEN
    try:
        return _reach_of_address(ipaddress.ip_address(host))
    except ValueError:
        pass
    if host == "localhost" or host.endswith(".localhost"):
        return Reach.THIS_MACHINE
    if re.fullmatch(r"\d*|0x[0-9a-f]*", host.rpartition(".")[2]):
        # C libraries read 127.1, 2130706433, 0x7f.1 and 017700000001 as addresses.
        return Reach.FORBIDDEN
    return Reach.PRIVATE if "." not in host or host.endswith(PRIVATE_SUFFIXES) else Reach.PUBLIC


def _reach_of_address(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Reach:
    if address.is_loopback:
        return Reach.THIS_MACHINE
    hides_ipv4 = address.version == 6 and any(
        address in ipaddress.ip_network(network)
        for network in ("::ffff:0:0/96", "::/96", "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")
    )
    if hides_ipv4 or address.is_link_local or address.is_unspecified or address.is_multicast or address.is_reserved:
        return Reach.FORBIDDEN
    return Reach.PUBLIC if address.is_global else Reach.PRIVATE


def _may_be_reached_in_clear(host: str, settings: Settings) -> bool:
    reach = reach_of(host)
    return reach is Reach.THIS_MACHINE or (reach is Reach.PRIVATE and settings.allow_private_network)


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
    if any(len(secret) < MIN_WEBHOOK_SECRET_LENGTH for secret in settings.nexhealth_webhook_secrets):
        problems.append(f"NEXHEALTH_WEBHOOK_SECRET: each must have {MIN_WEBHOOK_SECRET_LENGTH} characters or more")
    return [*problems, *_weak_key_problems(settings), *_shared_secret_problems(settings), *_clear_ledger(settings)]


def _weak_key_problems(settings: Settings) -> list[str]:
    return [
        f"{name.upper()}: key {key_id} is not random; create one as docs/configuration.md shows"
        for name in KEY_SETTINGS
        for key_id, key in _readable_keys(settings, name).items()
        if len(set(key)) < MIN_DISTINCT_KEY_BYTES
    ]


def _shared_secret_problems(settings: Settings) -> list[str]:
    """Whoever learns a secret in one place must not be able to use it in another."""
    problems, variable_of = [], dict[bytes, str]()
    for name, secret in _our_secrets(settings):
        other = variable_of.setdefault(secret, name)
        if other != name:
            problems.append(f"{name.upper()}: has the same secret as {other.upper()}; create one for each purpose")
    return problems


def _our_secrets(settings: Settings) -> Iterator[tuple[str, bytes]]:
    """Each secret of ours, with its variable. The text of a key counts as the key."""
    for name in KEY_SETTINGS:
        for key in _readable_keys(settings, name).values():
            yield name, key
    texts = [("nexhealth_webhook_secret", secret) for secret in settings.nexhealth_webhook_secrets]
    for name, text in [*texts, ("codec_token", _plain_value(settings, "codec_token"))]:
        if text:
            yield name, _decoded_key(text.rpartition(":")[2]) or text.encode()


def _clear_ledger(settings: Settings) -> list[str]:
    """The problem that the ledger's data and password would cross a network in clear."""
    try:
        url = make_url(settings.effective_ledger_url)
    except (ArgumentError, ValueError):
        return []  # told elsewhere
    ssl_mode = url.query.get("sslmode") or os.environ.get("PGSSLMODE", "")
    is_safe = url.drivername == "sqlite" or ssl_mode in ENCRYPTED_SSL_MODES
    if is_safe or all(host.startswith("/") or _may_be_reached_in_clear(host, settings) for host in _hosts(url)):
        return []
    modes = ", ".join(ENCRYPTED_SSL_MODES)
    return [f"LEDGER_URL: PostgreSQL is on another machine; add ?sslmode= with one of {modes}, or {ALLOW_PRIVATE}"]


def _hosts(url: URL) -> list[str]:
    """Every host that PostgreSQL's client may connect to. Without one it uses a socket on this machine."""
    values = [url.host or "", *(url.query.get(name, "") for name in ("host", "hostaddr"))]
    texts = [text for value in values for text in ([value] if isinstance(value, str) else value)]
    return [host for text in texts for host in text.split(",") if host] or [os.environ.get("PGHOST") or "localhost"]


def _readable_keys(settings: Settings, name: str) -> dict[str, bytes]:
    """The keys of this setting; none if it cannot be read, which is told elsewhere."""
    try:
        return parse_keys(_plain_value(settings, name))
    except ValueError:
        return {}


def _plain_value(settings: Settings, name: str) -> str:
    value = getattr(settings, name)
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)
