"""What all processes must have in common: the keys and the practice file. Workers write it, all others compare."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime
from sqlalchemy import Connection, insert, select, update

from adapters.ledger.database import Database, serialize_on
from adapters.ledger.schema import practice_files, shared_keys
from domain.base import Value


class KeyPurpose(StrEnum):
    PAYLOAD = "payload"
    LINK = "link"


class SharedKey(Value):
    """One key of the workers, without the key."""

    purpose: KeyPurpose
    key_id: str
    fingerprint: str
    """A keyed hash of a fixed text. Equal keys have equal fingerprints."""
    sealed_probe: bytes = b""
    """A fixed text that a worker encrypted with this key, for payload keys."""


class PublishedFile(Value):
    """A practice file that a worker has used."""

    digest: str
    parts: Mapping[str, str]
    """Digest of each part, by its name."""
    published_at: AwareDatetime


class SharedProfile:
    def __init__(self, database: Database) -> None:
        self._database = database

    async def register_keys(self, keys: Sequence[SharedKey], now: datetime) -> list[SharedKey]:
        """Register a worker's keys of one purpose, the one in use first. Returns those known with other bytes.

        If there are any, nothing is registered.
        """
        purpose = keys[0].purpose

        def work(c: Connection) -> list[SharedKey]:
            serialize_on(c, "shared profile")
            known = _keys(c, purpose)
            if conflicts := [k for k in keys if k.key_id in known and known[k.key_id].fingerprint != k.fingerprint]:
                return conflicts
            for key in keys:
                if key.key_id not in known:
                    c.execute(insert(shared_keys).values(**key.model_dump(), first_seen=now.timestamp()))
            in_use = shared_keys.c.purpose == purpose, shared_keys.c.key_id == keys[0].key_id
            c.execute(update(shared_keys).where(*in_use).values(in_use_since=now.timestamp()))
            return []

        return await self._database.run(work)

    async def keys(self, purpose: KeyPurpose) -> dict[str, SharedKey]:
        """The workers' keys by id. Workers may have dropped some of them since."""
        return await self._database.run(lambda c: _keys(c, purpose))

    async def key_in_use(self, purpose: KeyPurpose) -> SharedKey | None:
        """The key that stood first at the worker that started last. ``None`` before the first worker."""
        query = (
            select(shared_keys)
            .where(shared_keys.c.purpose == purpose, shared_keys.c.in_use_since.is_not(None))
            .order_by(shared_keys.c.in_use_since.desc())
        )
        row = await self._database.run(lambda c: c.execute(query.limit(1)).first())
        return _to_key(row) if row is not None else None

    async def newest_file(self) -> PublishedFile | None:
        return await self._database.run(lambda c: _newest_file(c))

    async def publish_file(
        self, digest: str, parts: Mapping[str, str], now: datetime, *, also_known: bool
    ) -> PublishedFile:
        """Make this file the newest, unless it is. A file that was the newest before only with ``also_known``.

        Returns the newest file.
        """

        def work(c: Connection) -> PublishedFile:
            serialize_on(c, "shared profile")
            newest = _newest_file(c)
            if newest is not None and (newest.digest == digest or (_is_known(c, digest) and not also_known)):
                return newest
            values = {"digest": digest, "parts": json.dumps(dict(parts)), "published_at": now.timestamp()}
            c.execute(insert(practice_files).values(values))
            return PublishedFile(digest=digest, parts=parts, published_at=now)

        return await self._database.run(work)


def _keys(c: Connection, purpose: KeyPurpose) -> dict[str, SharedKey]:
    rows = c.execute(select(shared_keys).where(shared_keys.c.purpose == purpose))
    return {row.key_id: _to_key(row) for row in rows}


def _to_key(row: Any) -> SharedKey:
    return SharedKey(
        purpose=KeyPurpose(row.purpose),
        key_id=row.key_id,
        fingerprint=row.fingerprint,
        sealed_probe=row.sealed_probe,
    )


def _is_known(c: Connection, digest: str) -> bool:
    return c.execute(select(practice_files.c.id).where(practice_files.c.digest == digest)).first() is not None


def _newest_file(c: Connection) -> PublishedFile | None:
    row = c.execute(select(practice_files).order_by(practice_files.c.id.desc()).limit(1)).first()
    if row is None:
        return None
    published_at = datetime.fromtimestamp(row.published_at, UTC)
    return PublishedFile(digest=row.digest, parts=json.loads(row.parts), published_at=published_at)
