"""docs/configuration.md explains every key and every variable, and no others."""

import re

import pytest

from devstack import ROOT
from domain.practice.keys import ConnectionKeys, LimitKeys, LocationKeys, MessageKeys, RuleKeys, ServiceKeys
from settings import Settings

RULES = set(RuleKeys.model_fields)
TEMPORAL_SDK_VARIABLES = {
    "TEMPORAL_ADDRESS",
    "TEMPORAL_NAMESPACE",
    "TEMPORAL_API_KEY",
    "TEMPORAL_TLS_*",
    "TEMPORAL_PROFILE",
}
EXPECTED = {
    "Practice and connections": {"name", "[[connections]]"}
    | {f"messages.{key}" for key in MessageKeys.model_fields}
    | {f"limits.{key}" for key in LimitKeys.model_fields}
    | set(ConnectionKeys.model_fields),
    "Locations": set(LocationKeys.model_fields) - RULES - {"services", "desk_hours"}
    | {"desk_hours.monday", "desk_hours.sunday"},
    "Services": set(ServiceKeys.model_fields) - RULES,
    "Rules": RULES - {"hours"} | {"hours.monday", "hours.sunday"},
    "Environment": {name.upper() for name in Settings.model_fields} | TEMPORAL_SDK_VARIABLES,
}


def rows(section: str) -> list[tuple[str, str]]:
    """First and second cell of each row of the section's table: the keys, and what they mean."""
    text = (ROOT / "docs" / "configuration.md").read_text().split(f"\n## {section}\n")[1].split("\n## ")[0]
    cells = [re.split(r"(?<!\\)\|", line) for line in text.splitlines() if line.startswith("| `")]
    return [(row[1], row[2].strip()) for row in cells]


@pytest.mark.parametrize("section", EXPECTED)
def test_section_explains_every_key_and_no_other(section: str) -> None:
    explained = {name for cell, _ in rows(section) for name in re.findall(r"`([^`]+)`", cell)}
    assert explained == EXPECTED[section]
    assert all(meaning for _, meaning in rows(section))
