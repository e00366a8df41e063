"""Workers publish their keys and practice file; other processes do not start with others."""

import base64
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from adapters.ledger import KeyPurpose, Ledger
from adapters.practice_file import read_practice
from devstack import ROOT
from domain.practice import Practice
from runtime.codec import DecryptionError
from runtime.keys import create_development_keys, payload_keyring
from runtime.shared_profile import NoWorkerYet, check_decryption, check_profile, publish_again, publish_profile
from settings import ConfigurationError, Settings, load_settings

OLD, NEW, OTHER = (base64.b64encode(bytes(range(n, n + 32))).decode() for n in (1, 50, 100))
NOW = datetime(2026, 12, 1, 12, tzinfo=UTC)


@pytest.fixture(params=["sqlite", "postgresql"])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    sqlite = f"sqlite:///{tmp_path}/ledger.db"
    url = sqlite if request.param == "sqlite" else str(request.getfixturevalue("postgres"))
    ledger = Ledger(url)
    await ledger.migrate()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        for table in ("shared_keys", "practice_files"):
            connection.execute(text(f"DELETE FROM {table}"))
    engine.dispose()
    yield ledger
    await ledger.close()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("LINK_KEYS", f"l1:{OTHER}")


def process(payload_keys: str, *, app_env: str = "production") -> Settings:
    """The settings of a process with these payload keys."""
    changes = {"payload_keys": payload_keys, "app_env": app_env}
    return Settings.model_validate(load_settings().model_dump() | changes)


@pytest.fixture
def practice() -> Practice:
    return read_practice(ROOT / "practice.toml")


def changed(practice: Practice, version: str) -> Practice:
    """Another version of the file: the first location has another phone, and the last location is gone."""
    first, *others, _ = practice.locations
    locations = (first.model_copy(update={"phone": "(510) 555-0199"}), *others)
    services = {location.id: practice.services[location.id] for location in locations}
    return practice.model_copy(update={"version": version, "locations": locations, "services": services})


async def test_process_with_the_workers_keys_and_file_starts(ledger: Ledger, practice: Practice) -> None:
    worker = process(f"k1:{OLD}")
    with pytest.raises(NoWorkerYet):
        await check_profile(worker, practice, ledger)
    for _ in range(2):
        await publish_profile(worker, practice, ledger)
    await check_profile(worker, practice, ledger)
    await check_decryption(worker, ledger)


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        (f"k1:{OTHER}", "PAYLOAD_KEYS: key k1 has other bytes than the workers'"),
        (f"k2:{OLD}", "PAYLOAD_KEYS: no worker has key k2, which this process would use"),
        (f"k2:{OLD}", "PAYLOAD_KEYS: lacks key k1, which the workers use"),
        (f"k2:{NEW},k1:{OLD}", "PAYLOAD_KEYS: no worker has key k2"),
    ],
)
async def test_process_with_other_keys_does_not_start_and_says_which_key(
    ledger: Ledger, practice: Practice, keys: str, problem: str
) -> None:
    await publish_profile(process(f"k1:{OLD}"), practice, ledger)
    with pytest.raises(ConfigurationError) as refused:
        await check_profile(process(keys), practice, ledger)
    assert problem in str(refused.value)
    assert OLD not in str(refused.value) and OTHER not in str(refused.value)  # noqa: PT018


async def test_process_that_signs_links_needs_the_workers_link_keys(ledger: Ledger, practice: Practice) -> None:
    worker = process(f"k1:{OLD}")
    await publish_profile(worker, practice, ledger)
    other = Settings.model_validate(worker.model_dump() | {"link_keys": f"l1:{NEW}"})
    await check_profile(other, practice, ledger)
    with pytest.raises(ConfigurationError, match="LINK_KEYS: key l1 has other bytes than the workers'"):
        await check_profile(other, practice, ledger, signs_links=True)


async def test_each_step_of_a_rotation_is_accepted_in_its_order(ledger: Ledger, practice: Practice) -> None:
    old_only, added, first, new_only = f"k1:{OLD}", f"k1:{OLD},k2:{NEW}", f"k2:{NEW},k1:{OLD}", f"k2:{NEW}"
    for workers, others in [(old_only, old_only), (added, old_only), (added, added), (first, added), (first, first)]:
        await publish_profile(process(workers), practice, ledger)
        await check_profile(process(others), practice, ledger)
        await check_decryption(process(others), ledger)
    with pytest.raises(ConfigurationError, match="lacks key k2"):
        await check_profile(process(old_only), practice, ledger)
    with pytest.raises(DecryptionError):
        await check_decryption(process(old_only), ledger)
    await publish_profile(process(new_only), practice, ledger)


@pytest.mark.parametrize("variable", ["payload_keys", "link_keys"])
async def test_worker_with_other_bytes_under_a_known_id_does_not_start(
    ledger: Ledger, practice: Practice, variable: str
) -> None:
    worker = process(f"k1:{OLD}")
    await publish_profile(worker, practice, ledger)
    key_id = "k1" if variable == "payload_keys" else "l1"
    other = Settings.model_validate(worker.model_dump() | {variable: f"{key_id}:{NEW}"})
    with pytest.raises(ConfigurationError, match=f"{variable.upper()}: key {key_id} has other bytes than the workers'"):
        await publish_profile(other, practice, ledger)
    await check_profile(worker, practice, ledger)


async def test_ledger_has_no_key_in_it(ledger: Ledger, practice: Practice) -> None:
    await publish_profile(process(f"k1:{OLD}"), practice, ledger)
    (key,) = (await ledger.shared_profile.keys(KeyPurpose.PAYLOAD)).values()
    raw = base64.b64decode(OLD)
    assert raw not in key.sealed_probe
    assert raw.hex() not in key.fingerprint


async def test_process_with_another_practice_file_does_not_start_and_says_what_differs(
    ledger: Ledger, practice: Practice
) -> None:
    worker = process(f"k1:{OLD}")
    await publish_profile(worker, practice, ledger)
    first, last = practice.locations[0].id, practice.locations[-1].id
    with pytest.raises(ConfigurationError) as refused:
        await check_profile(worker, changed(practice, "changed"), ledger)
    assert f"location {last}" in str(refused.value).partition("lacks")[2].partition(";")[0]
    assert f"differs in location {first};" in str(refused.value)


async def test_worker_does_not_go_back_to_an_older_file_in_production(ledger: Ledger, practice: Practice) -> None:
    worker, newer = process(f"k1:{OLD}"), changed(practice, "newer")
    for file in (practice, newer, newer):
        await publish_profile(worker, file, ledger)
    with pytest.raises(ConfigurationError, match=r"PRACTICE_FILE: .* is older than the one .* `starter.py publish`"):
        await publish_profile(worker, practice, ledger)
    await check_profile(worker, newer, ledger)
    await publish_again(practice, ledger)
    await publish_profile(worker, practice, ledger)
    await check_profile(worker, practice, ledger)


async def test_worker_in_development_goes_back_to_an_older_file(ledger: Ledger, practice: Practice) -> None:
    worker = process(f"k1:{OLD}", app_env="development")
    for file in (practice, changed(practice, "newer"), practice):
        await publish_profile(worker, file, ledger)
    await check_profile(worker, practice, ledger)


def test_only_a_worker_in_development_makes_keys(tmp_path: Path) -> None:
    settings = process("", app_env="development")
    with pytest.raises(ConfigurationError, match=r"PAYLOAD_KEYS: is missing; .* STATE_DIR"):
        payload_keyring(settings)
    create_development_keys(process("", app_env="production"))
    assert not (tmp_path / "state/payload.keys").exists()
    create_development_keys(settings)
    keys = payload_keyring(settings).secrets
    create_development_keys(settings)
    assert payload_keyring(settings).secrets == keys
    assert (tmp_path / "state/payload.keys").stat().st_mode & 0o777 == 0o600
