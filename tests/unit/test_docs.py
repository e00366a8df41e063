"""The docs agree with the code: links, the command line, reasons, log events, packages, decision records."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main

import starter  # noqa: F401  (adds the demo to the commands)
from cli.main import app
from domain.booking import Reason
from workflows.booking.contracts import ResolutionKind

ROOT = Path(__file__).resolve().parents[2]
DOCS = (*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "sandbox" / "README.md")
RECORDS = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
PACKAGES = tuple(sorted(path.parent.name for path in ROOT.glob("*/__init__.py")))
MAX_PROSE_COLUMNS = 120
LOG_METHODS = {"debug", "info", "warning", "error", "exception"}
COMMON_OPTIONS = {"--json", "--help"}


def relative_name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def without_code(text: str) -> str:
    """The text without fenced code blocks."""
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.MULTILINE | re.DOTALL)


def anchor(heading: str) -> str:
    """The anchor that GitHub gives to a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def anchors(path: Path) -> set[str]:
    return {anchor(heading) for heading in re.findall(r"^#+ (.*)$", without_code(path.read_text()), re.MULTILINE)}


def section(path: Path, heading: str) -> str:
    """The text under a heading of the second level, up to the next one."""
    return path.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]


def table_rows(text: str) -> list[list[str]]:
    """Cells of the table rows whose first cell begins with code."""
    lines = [line for line in text.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.mark.parametrize("path", DOCS, ids=relative_name)
def test_every_relative_link_leads_to_a_file_and_a_heading(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", without_code(path.read_text())):
        if re.match(r"[a-z]+:", target):
            continue
        file_name, _, fragment = target.partition("#")
        linked = (path.parent / file_name).resolve() if file_name else path
        assert linked.exists(), f"{relative_name(path)} links to {target}, which does not exist"
        if fragment and linked.suffix == ".md":
            assert fragment in anchors(linked), f"{relative_name(path)} links to {target}: no such heading"


@pytest.mark.parametrize("path", DOCS, ids=relative_name)
def test_every_path_in_code_font_exists(path: Path) -> None:
    if path.name == "CHANGELOG.md":
        pytest.skip("the changelog names what is gone")
    named = re.findall(r"`([\w.-]+/(?:[\w./-]+\.(?:py|md|toml|yml)|(?:[\w.-]+/)*))`", path.read_text())
    bases = (ROOT, path.parent)
    missing = [name for name in named if not any((base / name).exists() for base in bases)]
    assert not [name for name in missing if not name.startswith(".holdfast")]


@pytest.mark.parametrize("path", DOCS, ids=relative_name)
def test_prose_is_wrapped(path: Path) -> None:
    lines = without_code(path.read_text()).splitlines()
    prose = [
        line
        for line in lines
        if not line.lstrip().startswith(("|", "<")) and not line.startswith("    ") and " " in line.strip()
    ]
    too_long = [line for line in prose if len(line) > MAX_PROSE_COLUMNS]
    assert not too_long, f"longer than {MAX_PROSE_COLUMNS} columns: {too_long[0]}"


def documented_commands() -> dict[str, set[str]]:
    """Options by command, from the table in the README."""
    commands: dict[str, set[str]] = {}
    for row in table_rows(section(ROOT / "README.md", "Command line")):
        options = set(re.findall(r"--[a-z-]+", row[0]))
        commands[row[0].split("`")[1].split()[0]] = options
    return commands


def existing_commands() -> dict[str, set[str]]:
    group = typer.main.get_group(app)
    commands: dict[str, set[str]] = {}
    for name, command in group.commands.items():
        options = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
        commands[name] = options - COMMON_OPTIONS
    return commands


def test_readme_lists_exactly_the_commands_that_exist() -> None:
    assert set(documented_commands()) == set(existing_commands())


@pytest.mark.parametrize("command", sorted(existing_commands()))
def test_readme_lists_exactly_the_options_of_a_command(command: str) -> None:
    assert documented_commands().get(command) == existing_commands()[command]


def test_every_command_takes_json_as_the_readme_says() -> None:
    group = typer.main.get_group(app)
    for name, command in group.commands.items():
        assert any("--json" in parameter.opts for parameter in command.params), name
    assert "Every command takes `--json`" in section(ROOT / "README.md", "Command line")


def test_every_reason_is_explained_once() -> None:
    rows = table_rows(section(ROOT / "docs" / "operations.md", "Reasons"))
    assert sorted(row[0].strip("`") for row in rows) == sorted(reason.value for reason in Reason)
    assert all(meaning for _, meaning, _ in rows)


def test_every_resolution_of_a_reason_exists() -> None:
    rows = table_rows(section(ROOT / "docs" / "operations.md", "Reasons"))
    named = {resolution for row in rows for resolution in re.findall(r"`(\w+)`", row[2])}
    assert named == {kind.value for kind in ResolutionKind}


def log_events() -> Iterator[tuple[str, str]]:
    """Every literal event that a module of the product logs at INFO or above, with the module's path."""
    roots = [ROOT / package for package in PACKAGES if package not in ("bench", "demo", "devstack", "sandbox", "tests")]
    files = [*ROOT.glob("*.py"), *(path for root in roots for path in root.rglob("*.py"))]
    for path in files:
        for call in (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)):
            logs = isinstance(call.func, ast.Attribute) and call.func.attr in LOG_METHODS - {"debug"}
            if logs and re.search(r"\b(log|logger)\.\w+$", ast.unparse(call.func)) and call.args:
                event = call.args[0]
                if isinstance(event, ast.Constant) and isinstance(event.value, str):
                    yield event.value, relative_name(path)


def test_every_log_event_is_explained() -> None:
    rows = table_rows(section(ROOT / "docs" / "operations.md", "Logs"))
    explained = {event for row in rows for event in re.findall(r"`(\w+)`", row[0])}
    assert not [f"{event} ({path})" for event, path in sorted(set(log_events())) if event not in explained]


def test_packages_are_listed_in_the_order_of_the_import_contract() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [levels] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    layers = [package for level in levels for package in re.split(r" *[|:] *", level)]
    listed = [row[0].strip("`/") for row in table_rows(section(ROOT / "docs" / "architecture.md", "Packages"))]
    assert [package for package in listed if package in layers] == [layer for layer in layers if layer in PACKAGES]


def test_readme_names_every_package() -> None:
    named = set(re.findall(r"`(\w+)/", section(ROOT / "README.md", "Find your way around")))
    assert set(PACKAGES) <= named


def test_architecture_has_a_place_for_the_generated_diagram() -> None:
    phases = section(ROOT / "docs" / "architecture.md", "Phases")
    assert phases.index("<!-- phases:begin -->") < phases.index("<!-- phases:end -->")


@pytest.mark.parametrize("path", RECORDS, ids=lambda path: path.stem)
def test_a_decision_record_has_its_five_parts(path: Path) -> None:
    text = path.read_text()
    assert re.match(r"# \S.*\n\n\* Date: \d{4}-\d\d-\d\d\n\* Status: (accepted|superseded by \[)", text)
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert all(part.strip() for part in re.split(r"^## .*$", text, flags=re.MULTILINE)), "a part is empty"


def test_decision_records_are_numbered_and_all_in_the_index() -> None:
    index = (ROOT / "docs" / "decisions" / "README.md").read_text()
    for number, path in enumerate(RECORDS, start=1):
        title = path.read_text().splitlines()[0].removeprefix("# ")
        assert path.name.startswith(f"{number:04}-")
        assert f"| {number} | [{title}]({path.name}) |" in index
