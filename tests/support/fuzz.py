"""Hostile input, made from valid input and a seed, so that every failure can be repeated."""

import copy
import os
from random import Random
from typing import Any

ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "300"))
"""Inputs per inlet. CI runs seconds of them; set it to run more."""

_VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1.5, 2**63, -(2**63), 10**400, 1e308, float("inf"), float("-inf"), float("nan")),
    *("", " ", "\x00", "\x1b[31m", "\u202e", "\ud800", "１２３", "0.00", "1796112000.0", "1e999", "A" * 10_000),
    *("0001-01-01", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-02-30", "bk_" + "a" * 26),
    *([], {}, [None], [[]], {"": ""}, {"id": {}}, [{"id": 1}] * 3),
)
_TOKENS = (
    b'"',
    b"'''",
    b"[",
    b"]",
    b"{",
    b"}",
    b"=",
    b",",
    b"\\u",
    b"\xff",
    b"\x00",
    b"\xef\xbb\xbf",
    b"1e999",
    b"nan",
    b"#",
)


def hostile_value(rng: Random) -> Any:
    if rng.random() < 0.05:
        return nested(rng.choice((50, 150)), rng)
    return copy.deepcopy(rng.choice(_VALUES))


def nested(depth: int, rng: Random) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value] if rng.random() < 0.5 else {"a": value}
    return value


def mutate(content: Any, rng: Random) -> Any:
    """A copy in which one to three values were changed, removed or added, or whose whole was replaced."""
    if rng.random() < 0.03:
        return hostile_value(rng)
    content = copy.deepcopy(content)
    for _ in range(rng.randint(1, 3)):
        parent = rng.choice(list(_containers(content)) or [None])
        if isinstance(parent, dict):
            key = rng.choice([*parent, "extra\x1b", "data"])
            if rng.random() < 0.2:
                parent.pop(key, None)
            else:
                parent[key] = hostile_value(rng)
        elif isinstance(parent, list):
            parent.insert(rng.randint(0, len(parent)), hostile_value(rng))
    return content


def mutate_bytes(raw: bytes, rng: Random) -> bytes:
    """A copy with a few bytes cut, doubled, changed or inserted. Sometimes nested deeply, or in another encoding."""
    kind = rng.random()
    if kind < 0.08:
        prefix, repeated = rng.choice(((b"", b"["), (b"", b'{"a":'), (b"a = ", b"["), (b"a = ", b"{b = ")))
        return prefix + repeated * rng.choice((1000, 5000))
    if kind < 0.12:
        return raw.decode(errors="replace").encode(rng.choice(("utf-16", "utf-32", "latin-1")), errors="replace")
    changed = bytearray(raw)
    for _ in range(rng.randint(1, 4)):
        begin = rng.randrange(len(changed) + 1)
        end = min(len(changed), begin + rng.randint(0, 40))
        piece = rng.choice((b"", bytes(changed[begin:end]) * 2, rng.choice(_TOKENS), rng.randbytes(3)))
        changed[begin:end] = piece
    return bytes(changed)


def _containers(value: Any) -> Any:
    if isinstance(value, dict | list):
        yield value
        for item in value.values() if isinstance(value, dict) else value:
            yield from _containers(item)
