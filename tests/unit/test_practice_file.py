"""The practice file: problems name their path, and rules are inherited from the nearest level."""

import codecs
from datetime import timedelta
from pathlib import Path

import pytest

from adapters.practice_file import MAX_BYTES, PracticeFileError, read_practice
from devstack import ROOT


def test_all_problems_are_reported_with_their_path(tmp_path: Path) -> None:
    text = (ROOT / "practice.toml").read_text()
    text = text.replace('time_zone = "America/Denver"', 'time_zone = "America/Denvr"')
    text = text.replace('slot_step = "30m"', 'slot_stepp = "30m"').replace('duration = "90m"', 'duration = "long"')
    broken = tmp_path / "practice.toml"
    broken.write_text(text)
    with pytest.raises(ValueError, match="slot_stepp") as error:
        read_practice(broken)
    problems = str(error.value)
    assert "did you mean slot_step?" in problems
    assert "locations[1].time_zone" in problems
    assert "locations[2].services[2].duration" in problems


def test_list_with_wrong_items_is_not_reported_as_empty(tmp_path: Path) -> None:
    broken = tmp_path / "practice.toml"
    broken.write_text((ROOT / "practice.toml").read_text().replace("time_zone", "timezone"))
    with pytest.raises(ValueError, match="did you mean time_zone") as error:
        read_practice(broken)
    assert "at least 1" not in str(error.value)
    broken.write_text('name = "x"\nconnections = []\nlocations = []\n')
    with pytest.raises(ValueError, match=r"connections: .* at least 1"):
        read_practice(broken)


def test_references_between_parts_of_a_practice_file_are_checked(tmp_path: Path) -> None:
    text = (ROOT / "practice.toml").read_text().replace('offered_by = ["cedar"]', 'offered_by = ["ceder"]')
    broken = tmp_path / "practice.toml"
    broken.write_text(text.replace('connection = "ascend-main"', 'connection = "ascend"', 1))
    with pytest.raises(ValueError, match="ceder is unknown; allowed: cedar, holly") as error:
        read_practice(broken)
    assert "locations[0].connection: unknown; allowed: ascend-main" in str(error.value)


def test_kind_of_connection_follows_from_its_system(tmp_path: Path) -> None:
    """Ascend is reached directly unless the file says otherwise; others through NexHealth, which moves no visits."""
    text = (ROOT / "practice.toml").read_text()
    file = tmp_path / "practice.toml"
    for connection, kind in [
        ('system = "ascend"', "ascend"),
        ('system = "ascend"\nkind = "nexhealth"', "nexhealth"),
        ('system = "eaglesoft"', "nexhealth"),
    ]:
        file.write_text(text.replace('system = "ascend"', connection))
        assert read_practice(file).connections[0].kind == kind
    with_placeholder = 'phone = "+15105550100"\nplaceholder_patient = "1"'
    for connection, problem in [
        ('system = "eaglesoft"\nkind = "ascend"', r'connections\[0\].kind: "ascend" reaches only system = "ascend"'),
        ('system = "eaglesoft"', r"locations\[0\].placeholder_patient: NexHealth never moves"),
    ]:
        changed = text.replace('system = "ascend"', connection).replace('phone = "+15105550100"', with_placeholder)
        file.write_text(changed)
        with pytest.raises(ValueError, match=problem):
            read_practice(file)


def test_second_ascend_connection_is_refused(tmp_path: Path) -> None:
    """Providers and patients belong to the account. Locations on two connections would not see each other's visits."""
    text = (ROOT / "practice.toml").read_text()
    file = tmp_path / "practice.toml"
    file.write_text(
        text.replace("[[connections]]", '[[connections]]\nname = "other"\nsystem = "ascend"\n\n[[connections]]', 1)
    )
    with pytest.raises(ValueError, match=r"connections\[1\]: there is one Ascend account"):
        read_practice(file)
    file.write_text(
        text.replace("[[connections]]", '[[connections]]\nname = "other"\nsystem = "eaglesoft"\n\n[[connections]]', 1)
    )
    assert read_practice(file).connections[0].system == "eaglesoft"


def test_nearest_rule_wins(tmp_path: Path) -> None:
    text = (ROOT / "practice.toml").read_text()
    text = text.replace("[defaults]\n", '[defaults]\nduration = "20m"\ndaily_cap = 9\n')
    text = text.replace('id = "denver"\n', 'id = "denver"\nminimum_notice = "3h"\ndaily_cap = 8\n')
    text = text.replace('buffer_after = "10m"\n', 'buffer_after = "10m"\ndaily_cap = 7\n')
    file = tmp_path / "practice.toml"
    file.write_text(text)
    practice = read_practice(file)
    cleaning, consult, consult_in_oakland = (
        practice.rule(*names) for names in (("denver", "cleaning"), ("denver", "consult"), ("oakland", "consult"))
    )
    assert (cleaning.daily_cap, consult.daily_cap, consult_in_oakland.daily_cap) == (7, 8, 9)
    assert (cleaning.duration, cleaning.minimum_notice, consult_in_oakland.minimum_notice) == (
        timedelta(minutes=60),
        timedelta(hours=3),
        timedelta(hours=2),
    )


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"a = " + b"[" * 5000 + b"]" * 5000, "not valid TOML: its lists or tables are nested too deeply"),
        (b"a = " + b"{b = " * 5000, "not valid TOML: its lists or tables are nested too deeply"),
        (b"a" + b".b" * 5000 + b" = 1", "a: unknown key"),
        (b"a = " + b"9" * 5000, "not valid TOML: Exceeds the limit"),
        ('name = "caf\u00e9"'.encode("latin-1"), "is not text in UTF-8; save it with that encoding"),
        ('name = "x"'.encode("utf-16"), "is not text in UTF-8; save it with that encoding"),
        (b'name = "x\x00"', "not valid TOML: "),
        (b"\x00" * 100, "not valid TOML: "),
        (b"# " + b"x" * MAX_BYTES, "not valid TOML: it has more than 4096 KiB"),
        (b"", "name: is missing"),
    ],
    ids=range(10),
)
def test_file_that_cannot_be_read_is_refused_with_its_name(tmp_path: Path, raw: bytes, problem: str) -> None:
    broken = tmp_path / "practice.toml"
    broken.write_bytes(raw)
    with pytest.raises(PracticeFileError) as error:
        read_practice(broken)
    assert any(f"{broken}: {problem}" in line for line in error.value.problems)
    assert len(str(error.value)) < 2000


@pytest.mark.parametrize("path", ["missing.toml", "."])
def test_path_that_is_no_file_is_refused_with_its_name(tmp_path: Path, path: str) -> None:
    with pytest.raises(PracticeFileError, match="set PRACTICE_FILE"):
        read_practice(tmp_path / path)


def test_file_of_windows_notepad_is_read(tmp_path: Path) -> None:
    """It begins with a byte order mark, and its lines end with CRLF."""
    original = (ROOT / "practice.toml").read_bytes()
    file = tmp_path / "practice.toml"
    file.write_bytes(codecs.BOM_UTF8 + original.replace(b"\n", b"\r\n"))
    assert read_practice(file) == read_practice(ROOT / "practice.toml")
