"""The language of code, texts and docs follows ``docs/glossary.md``.

* Predicates (``is_``, ``has_``, ``can_``) answer yes or no, change nothing and wait for nothing.
* Words in the glossary's "do not say" column do not occur.
* Log events are stable snake_case names.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
GLOSSARY = ROOT / "docs" / "glossary.md"
PRODUCT = (
    "domain",
    "adapters",
    "activities",
    "workflows",
    "runtime",
    "client",
    "cli",
    "web",
    "devstack",
    "demo",
    "bench",
    "sandbox",
    "worker.py",
    "starter.py",
    "settings.py",
)
# The changelog is not among them: it says which words were replaced.
TEXTS = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "practice.toml", "Makefile")

PREDICATE = re.compile(r"_*(is|has|can)_")
ACTING_METHODS = frozenset(
    {
        *("add", "append", "appendleft", "cancel", "clear", "close", "commit", "create", "delete", "discard", "extend"),
        *("insert", "pop", "popitem", "popleft", "post", "publish", "put", "remove", "send", "set", "set_exception"),
        *("set_result", "setdefault", "signal", "submit", "update", "upsert", "upsert_search_attributes", "write"),
    }
)
LOG_METHODS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
LOGGERS = frozenset({"log", "logger", "_log", "_logger"})
EVENT_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Rule(NamedTuple):
    """How one dead synonym is recognized."""

    pattern: re.Pattern[str]
    """Matches prose, or a name split into lowercase words."""
    names_only: bool = False
    """Whether only names that the product defines are checked, because the word is also ordinary English."""


def phrase(*words: str, names_only: bool = False) -> Rule:
    """A phrase whose words are given with their forms, as in ``take|takes|took``. A pronoun may split it."""
    return Rule(
        re.compile(r"\b(?:" + r")\s+(?:(?:it|them|that|this|one)\s+)?(?:".join(words) + r")\b", re.I), names_only
    )


GIVE, TAKE = "give|gives|gave|given|giving", "take|takes|took|taken|taking"
RULES = {
    "beside": phrase("beside", names_only=True),
    "call off": phrase("call|calls|called|calling", "off"),
    "chair": phrase("chairs?"),
    "clear up": phrase("clear|clears|cleared|clearing", "up"),
    "finalize": phrase("finali[sz](?:e|es|ed|ing|ation)"),
    "give back": phrase(GIVE, "back"),
    "give up": phrase(GIVE, "up"),
    "give way": phrase(GIVE, "way"),
    "happens before": phrase("happens", "before"),
    "need": phrase("need", names_only=True),
    "news": phrase("news"),
    "other times": phrase("other", "times"),
    "others": phrase("others", names_only=True),
    "place": phrase("(?<!in )places?", names_only=True),
    "PMS": Rule(re.compile(r"\bPMS\b", re.I)),
    "question": phrase("questions?", names_only=True),
    "replace": phrase("replaces?|replaced|replacing", names_only=True),
    "rival": phrase("rivals?"),
    "sweep": phrase("sweep|sweeps|swept|sweeping"),
    "take back": phrase(TAKE, "back"),
    "take place": phrase(TAKE, "place"),
    "told": phrase("told", names_only=True),
    "turn": phrase("turns?", names_only=True),
    "undo": phrase("undo|undoes|undid|undone|undoing"),
    "withdraw": phrase("withdraw|withdraws|withdrew|withdrawn|withdrawing|withdrawals?"),
}
NOT_IN_GLOSSARY = {"beside", "happens before", "told"}
"""Words that no term of the glossary replaces. They stood for many things, and no reader guessed which."""
ALLOWED = (
    re.compile(r"[\"`](?:withdrawn|not_taken_back)[\"`]"),  # public values of Reason, which callers store
    re.compile(r"synced with the PMS", re.I),  # NexHealth's own error text
    re.compile(r"\"CHAIR\""),  # an appointment status of Ascend
    re.compile(r"\"surge_withdrawn\""),  # a figure of `make bench`, which its readers compare over time
)
"""Removed from every file before it is checked."""


def product_files() -> Iterator[Path]:
    for name in PRODUCT:
        path = ROOT / name
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path] if path.exists() else []


def text_files() -> Iterator[Path]:
    yield from product_files()
    yield from sorted(path for path in (ROOT / "tests").rglob("*.py") if path != Path(__file__))
    yield from (ROOT / name for name in TEXTS if (ROOT / name).exists())
    yield from sorted(path for path in (ROOT / "docs").rglob("*.md") if path != GLOSSARY)
    yield from sorted(path for name in ("sandbox", "demo", "bench") for path in (ROOT / name).glob("*.md"))


@cache
def syntax_tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def position(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"


def split_words(text: str) -> str:
    """Text with names split into words. Line breaks stay, so that lines can be counted."""
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", " ", text)
    return re.sub(r"[_\"`*#]", " ", text)  # also joins phrases across comment lines and string literals


@cache
def checked_words(path: Path) -> str:
    text = path.read_text()
    for allowed in ALLOWED:
        text = allowed.sub("", text)
    return split_words(text)


@cache
def defined_names(path: Path) -> tuple[tuple[str, int], ...]:
    """Names of classes, functions, parameters, variables and attributes that the file defines, with their lines."""
    names: list[tuple[str, int]] = []
    for node in ast.walk(syntax_tree(path)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            names.append((node.name, node.lineno))
        elif isinstance(node, ast.arg):
            names.append((node.arg, node.lineno))
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.append((node.id, node.lineno))
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.append((node.attr, node.lineno))
    return tuple(names)


def occurrences(rule: Rule) -> Iterator[str]:
    if rule.names_only:
        for path in product_files():
            for name, line in defined_names(path):
                if rule.pattern.search(split_words(name)):
                    yield f"{position(path, line)}: {name}"
        return
    for path in text_files():
        words = checked_words(path)
        for match in rule.pattern.finditer(words):
            line = words.count("\n", 0, match.start()) + 1
            yield f"{position(path, line)}: {' '.join(match[0].split())}"


def glossary_rows() -> Iterator[tuple[str, list[str]]]:
    """Each term of the glossary with its entries in the "do not say" column."""
    for line in GLOSSARY.read_text().splitlines():
        if line.startswith("| **"):
            term, _meaning, dead = (cell.strip() for cell in line.strip("|").split("|"))
            yield term.strip("*"), [entry for entry in re.split(r",\s*(?![^(]*\))", dead) if entry]


def terms_to_say(dead_synonym: str) -> str:
    return ", ".join(term for term, entries in glossary_rows() if dead_synonym in entries) or "see docs/glossary.md"


def test_every_checkable_entry_of_the_glossary_has_a_rule() -> None:
    """An entry with a remark in parentheses is right in some sense, so only a reader can check it."""
    entries = {entry for _, entries in glossary_rows() for entry in entries if "(" not in entry}
    assert entries == RULES.keys() - NOT_IN_GLOSSARY


@pytest.mark.parametrize("dead_synonym", RULES)
def test_dead_synonym_does_not_occur(dead_synonym: str) -> None:
    faults = list(occurrences(RULES[dead_synonym]))
    assert not faults, f'"{dead_synonym}" (say: {terms_to_say(dead_synonym)}):\n' + "\n".join(faults)


def test_values_are_not_named_by_a_bare_participle() -> None:
    """The glossary lists the participles. A noun says what the value is."""
    (rule,) = re.findall(r"not a bare participle such as ([^.]*)\.", GLOSSARY.read_text())
    participles = set(re.findall(r'"(\w+)"', rule))
    assert participles
    faults = [
        f"{position(path, line)}: {name}"
        for path in product_files()
        for name, line in defined_names(path)
        if name.strip("_") in participles
    ]
    assert not faults, "\n".join(faults)


def predicate_faults(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    if isinstance(function, ast.AsyncFunctionDef):
        yield "is async"
    annotation = ast.unparse(function.returns) if function.returns else ""
    if annotation != "bool" and not re.fullmatch(r"(typing\.)?Type(Guard|Is)\[.*\]", annotation):
        yield f"returns {annotation or 'something without annotation'}, not bool"
    for node in ast.walk(function):
        if isinstance(node, ast.Raise):
            yield "raises"
        elif isinstance(node, ast.Await | ast.Yield | ast.YieldFrom):
            yield "waits"
        elif isinstance(node, ast.Global | ast.Nonlocal):
            yield "changes a variable outside"
        elif isinstance(node, ast.Attribute | ast.Subscript) and isinstance(node.ctx, ast.Store | ast.Del):
            yield f"changes {ast.unparse(node)}"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in ACTING_METHODS:
            yield f"calls {ast.unparse(node.func)}"


def test_predicates_answer_yes_or_no_and_change_nothing() -> None:
    faults = [
        f"{position(path, node.lineno)}: {node.name} {fault}"
        for path in product_files()
        for node in ast.walk(syntax_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and PREDICATE.match(node.name)
        for fault in predicate_faults(node)
    ]
    assert not faults, "\n".join(faults)


def is_log_call(node: ast.AST) -> bool:
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in LOG_METHODS):
        return False
    return ast.unparse(node.func.value).rpartition(".")[2] in LOGGERS


def event_name(call: ast.Call) -> str:
    """The first argument of a log call if it is a literal, otherwise its source text."""
    first = call.args[0] if call.args else None
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value
    return ast.unparse(first) + " (not a literal)" if first else "(no event)"


def test_log_events_are_snake_case_names() -> None:
    calls = [
        (position(path, node.lineno), event_name(node))
        for path in product_files()
        for node in ast.walk(syntax_tree(path))
        if isinstance(node, ast.Call) and is_log_call(node)
    ]
    assert calls
    faults = [f"{at}: {name}" for at, name in calls if not EVENT_NAME.fullmatch(name)]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("source", "dead_synonym"),
    [
        ("def is_taken_back(): ...", "take back"),
        ("class TakingBack: ...", "take back"),
        ("# the hold is taken\n    # back later", "take back"),
        ('"we take "\n"it back"', "take back"),
        ("GIVEN_UP = 1", "give up"),
        ("the hold gives way", "give way"),
        ("`withdraw_hold`", "withdraw"),
    ],
)
def test_rules_recognize_names_prose_and_wrapped_lines(source: str, dead_synonym: str) -> None:
    assert RULES[dead_synonym].pattern.search(split_words(source))


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("def is_free(self) -> bool: return self.end is None", None),
        ("def _has_room(self) -> TypeGuard[int]: return True", None),
        ("async def is_free(self) -> bool: return True", "is async"),
        ("def is_free(self) -> None: self.end = None", "returns None, not bool"),
        ("def is_free(self) -> bool: self.rows[0] = 1", "changes self.rows[0]"),
        ("def is_free(self) -> bool: return self.rows.pop()", "calls self.rows.pop"),
        ("def is_free(self) -> bool: raise ValueError", "raises"),
    ],
)
def test_predicate_faults_are_recognized(source: str, fault: str | None) -> None:
    (function,) = ast.parse(source).body
    assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
    assert next(predicate_faults(function), None) == fault
