"""A few fixed seeds, with the real parts, and the runs that must fail; ``make faults`` plays many more."""

from dataclasses import asdict

import pytest

from tests.faults.campaign import Row, many, report
from tests.faults.plan import plan
from tests.faults.run import Result
from tests.faults.unguarded import GUARDS

SEEDS = (2, 11, 15)

Results = tuple[list[Row], list[Row]]


@pytest.fixture(scope="module")
async def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    folder = tmp_path_factory.mktemp("faults")
    return await many(SEEDS, len(SEEDS) + len(GUARDS), folder, lambda result, guard_off: None)


@pytest.mark.timeout(400)
def test_nothing_is_lost_doubled_or_untrue(results: Results) -> None:
    for result in results[0]:
        assert (result["failure"], result["violations"]) == ("", [])
        assert result["fired"], "a run without trouble proves nothing"


def test_the_judge_sees_what_a_missing_guard_lets_through(results: Results) -> None:
    harm = {guard: {v["rule"] for v in result["violations"]} for guard, result in zip(GUARDS, results[1], strict=True)}
    assert {"duplicated", "leftover"} & harm["ascend", "search"]
    assert "overlap" in harm["ascend", "read_back"]
    assert "overlap" in harm["nexhealth", "read_back"]
    assert "leftover" in harm["ascend", "fence"]
    assert "duplicate_message" in harm["ascend", "memory"]
    assert "leftover" in harm["ascend", "reading"]


PROMISED = (
    *("seeds", "requests", "faults_fired", "lost", "duplicated", "overlaps"),
    *("duplicate_messages", "ambiguous_outcomes", "negative_control_failed"),
)


def test_the_report_says_what_is_promised_and_whether_the_judge_can_see() -> None:
    result = Row(asdict(Result(seed=1, connection="ascend", requests=18, fired={"drained": 2})))
    control = Row(asdict(Result(seed=0, connection="ascend"))) | {"guard_off": "fence"}
    blind = report([result], [control])
    assert set(PROMISED) <= set(blind)
    assert (blind["seeds"], blind["requests"], blind["faults_fired"]) == (1, 18, {"drained": 2})
    assert (blind["negative_control_failed"], blind["unseen_controls"], blind["ok"]) == (False, ["fence"], False)
    seen = report([result], [control | {"violations": [{"rule": "leftover"}]}])
    assert (seen["negative_control_failed"], seen["ok"]) == (True, True)


def test_a_seed_deals_the_same_plan_again() -> None:
    assert plan(7) == plan(7)
    assert plan(7) != plan(8)


def test_connections_take_turns_unless_one_is_named() -> None:
    assert [plan(seed).connection for seed in (1, 2, 3)] == ["ascend", "nexhealth", "ascend"]
    assert plan(7, "nexhealth").connection == "nexhealth"
