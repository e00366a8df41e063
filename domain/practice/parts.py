"""The parts of a practice file, so that two files can be compared without either."""

import hashlib
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from domain.practice.model import Practice


def part_digests(practice: Practice) -> dict[str, str]:
    """A short hash of each part of the practice, by the part's name."""
    parts: dict[str, Any] = {"name": practice.name}
    parts |= {f"connection {connection.name}": connection.model_dump() for connection in practice.connections}
    parts |= {f"location {location.id}": location.model_dump() for location in practice.locations}
    parts |= {
        f"service {location_id}/{service_id}": service.model_dump()
        for location_id, services in practice.services.items()
        for service_id, service in services.items()
    }
    return {name: _digest(content) for name, content in parts.items()}


def describe_differences(parts: Mapping[str, str], other_parts: Mapping[str, str]) -> str:
    """What a file with these parts lacks, has besides, and has otherwise than the other one. Empty if nothing."""
    lacks = [name for name in other_parts if name not in parts]
    has_besides = [name for name in parts if name not in other_parts]
    differs_in = [name for name in parts if other_parts.get(name, parts[name]) != parts[name]]
    findings = (("lacks", lacks), ("has besides", has_besides), ("differs in", differs_in))
    return "; ".join(f"{what} {_join(names)}" for what, names in findings if names)


def _join(names: list[str], limit: int = 5) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(sorted(names)[:limit]) + more


def _digest(content: Any) -> str:
    text = json.dumps(content, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    return sorted(map(str, value)) if isinstance(value, AbstractSet) else str(value)
