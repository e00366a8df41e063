"""Compare this process's keys and practice file with the workers', before it sends or polls.

Workers publish theirs in the ledger when they start. A process with other keys would start bookings that no worker
can read, and one with another practice file would offer what no worker knows. Neither starts.
"""

from datetime import UTC, datetime
from pathlib import Path

import structlog
from temporalio.api.common.v1 import Payload
from temporalio.client import Client
from temporalio.runtime import Runtime

from adapters.ledger import KeyPurpose, Ledger, PublishedFile, SharedKey
from domain.practice import Practice
from domain.practice.parts import describe_differences, part_digests
from runtime.build import open_ledger
from runtime.client import connect
from runtime.codec import DecryptionError, EncryptionCodec
from runtime.keys import Keyring, fingerprint, link_keyring, payload_keyring
from settings import ConfigurationError, Settings

log = structlog.get_logger("profile")

PROBE = Payload(metadata={"encoding": b"binary/plain"}, data=b"holdfast probe")
VARIABLES = {KeyPurpose.PAYLOAD: "PAYLOAD_KEYS", KeyPurpose.LINK: "LINK_KEYS"}


class NoWorkerYet(ConnectionError):
    """No worker has published its keys and its practice file in this ledger."""


async def publish_profile(settings: Settings, practice: Practice, ledger: Ledger) -> None:
    """For workers: publish keys and practice file.

    Raises ConfigurationError if a key has other bytes than the other workers', or, in production, if the other workers
    have used a newer practice file.
    """
    await _register_keys(settings, ledger)
    parts = part_digests(practice)
    known = await ledger.shared_profile.newest_file()
    newest = await ledger.shared_profile.publish_file(
        practice.version, parts, datetime.now(UTC), also_known=not settings.is_production
    )
    if newest.digest != practice.version:
        raise ConfigurationError(
            [
                f"PRACTICE_FILE: {settings.practice_file} is older than the one that the workers have used since "
                f"{newest.published_at:%Y-%m-%d %H:%M} UTC: it {describe_differences(parts, newest.parts)}; give this "
                "worker the newer file, or run `starter.py publish` to go back to this one on purpose"
            ]
        )
    if known is not None and known.digest != newest.digest:
        log.warning("practice_file_changed", this_file=describe_differences(parts, known.parts))


async def publish_again(practice: Practice, ledger: Ledger) -> str:
    """Make this practice file the workers' newest, also after they have used another. Returns what it changes."""
    parts = part_digests(practice)
    known = await ledger.shared_profile.newest_file()
    await ledger.shared_profile.publish_file(practice.version, parts, datetime.now(UTC), also_known=True)
    return describe_differences(parts, known.parts) if known is not None else ""


async def check_profile(settings: Settings, practice: Practice, ledger: Ledger, *, signs_links: bool = False) -> None:
    """For every process but workers. Raises ConfigurationError, which says what differs, and NoWorkerYet.

    ``signs_links``: this process needs the workers' link keys too.
    """
    keyrings = {KeyPurpose.PAYLOAD: payload_keyring(settings)}
    if signs_links:
        keyrings[KeyPurpose.LINK] = link_keyring(settings)
    newest = await ledger.shared_profile.newest_file()
    if newest is None:
        raise NoWorkerYet("no worker has started with this ledger; start one first, or see LEDGER_URL and STATE_DIR")
    problems = []
    for purpose, keyring in keyrings.items():
        keys = await ledger.shared_profile.keys(purpose)
        in_use = await ledger.shared_profile.key_in_use(purpose)
        problems += _key_problems(VARIABLES[purpose], keyring, keys, in_use.key_id if in_use else None)
    problems += _practice_file_problems(settings.practice_file, practice, newest)
    if problems:
        raise ConfigurationError(problems)


async def connect_checked(settings: Settings, practice: Practice, *, runtime: Runtime | None = None) -> Client:
    """A Temporal client of a process that has the workers' keys and practice file.

    Raises ConfigurationError, ConnectionError and LedgerUnavailable.
    """
    client = await connect(settings, runtime=runtime)
    async with open_ledger(settings) as ledger:
        await check_profile(settings, practice, ledger)
    return client


async def check_decryption(settings: Settings, ledger: Ledger) -> None:
    """Decrypt what the worker that started last has encrypted. Raises DecryptionError."""
    in_use = await ledger.shared_profile.key_in_use(KeyPurpose.PAYLOAD)
    if in_use is None:
        raise DecryptionError("no worker has published its keys")
    codec = EncryptionCodec(payload_keyring(settings), settings.temporal_namespace)
    if await codec.decode([Payload.FromString(in_use.sealed_probe)]) != [PROBE]:
        raise DecryptionError(f"the probe under key {in_use.key_id} has another text")


async def _register_keys(settings: Settings, ledger: Ledger) -> None:
    problems = []
    for purpose, keyring in (
        (KeyPurpose.PAYLOAD, payload_keyring(settings)),
        (KeyPurpose.LINK, link_keyring(settings)),
    ):
        keys = [await _shared_key(purpose, keyring, key_id, settings.temporal_namespace) for key_id in keyring.ids]
        problems += [
            f"{VARIABLES[purpose]}: key {key.key_id} has other bytes than the workers'; give this worker theirs, or "
            "give a new key an id of its own"
            for key in await ledger.shared_profile.register_keys(keys, datetime.now(UTC))
        ]
    if problems:
        raise ConfigurationError(problems)


async def _shared_key(purpose: KeyPurpose, keyring: Keyring, key_id: str, namespace: str) -> SharedKey:
    (sealed,) = await EncryptionCodec(keyring.starting_with(key_id), namespace).encode([PROBE])
    return SharedKey(
        purpose=purpose,
        key_id=key_id,
        fingerprint=fingerprint(keyring.key(key_id)),
        sealed_probe=sealed.SerializeToString() if purpose is KeyPurpose.PAYLOAD else b"",
    )


def _key_problems(variable: str, keyring: Keyring, keys: dict[str, SharedKey], id_in_use: str | None) -> list[str]:
    problems = [
        f"{variable}: key {key_id} has other bytes than the workers'; set it to the workers' keys"
        for key_id in keyring.ids
        if key_id in keys and keys[key_id].fingerprint != fingerprint(keyring.key(key_id))
    ]
    if keyring.primary_id not in keys:
        problems.append(
            f"{variable}: no worker has key {keyring.primary_id}, which this process would use; add it to the workers' "
            "keys first, or set it to the workers' keys"
        )
    if id_in_use is not None and id_in_use not in keyring.ids:
        problems.append(f"{variable}: lacks key {id_in_use}, which the workers use; add it")
    return problems


def _practice_file_problems(path: Path, practice: Practice, newest: PublishedFile) -> list[str]:
    if newest.digest == practice.version:
        return []
    return [
        f"PRACTICE_FILE: {path} is not the workers': it {describe_differences(part_digests(practice), newest.parts)}; "
        "give this process the workers' file, or restart the workers with this one first"
    ]
