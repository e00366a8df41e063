"""A few fixed seeds against the real processes, and the negative controls. ``make faults`` runs many more seeds."""

from dataclasses import asdict

import pytest

from tests.faults.campaign import Result, make_report, run_campaign
from tests.faults.negative_controls import NEGATIVE_CONTROLS
from tests.faults.plan import make_plan
from tests.faults.seed_run import SeedResult

SEEDS = (2, 11, 15)

CampaignResults = tuple[list[Result], list[Result]]


@pytest.fixture(scope="module")
async def campaign_results(tmp_path_factory: pytest.TempPathFactory) -> CampaignResults:
    folder = tmp_path_factory.mktemp("faults")
    return await run_campaign(SEEDS, len(SEEDS) + len(NEGATIVE_CONTROLS), folder, on_result=lambda result: None)


@pytest.mark.timeout(400)
def test_seeds_pass_although_faults_fired(campaign_results: CampaignResults) -> None:
    for result in campaign_results[0]:
        assert (result["harness_failure"], result["violations"]) == ("", [])
        assert result["faults_fired"], "a run without faults proves nothing"


def test_checker_finds_what_each_removed_guard_lets_through(campaign_results: CampaignResults) -> None:
    rules = {
        tuple(control): {violation["rule"] for violation in result["violations"]}
        for control, result in zip(NEGATIVE_CONTROLS, campaign_results[1], strict=True)
    }
    assert {"duplicated", "leftover"} & rules["ascend", "search_before_retry"]
    assert "overlap" in rules["ascend", "read_back"]
    assert "overlap" in rules["nexhealth", "read_back"]
    assert "leftover" in rules["ascend", "fence"]
    assert "duplicate_message" in rules["ascend", "send_record"]
    assert "leftover" in rules["ascend", "read_expiry"]


DOCUMENTED_KEYS = (
    *("seeds", "requests", "faults_fired", "lost", "duplicated", "overlaps"),
    *("duplicate_messages", "ambiguous_outcomes", "negative_control_failed"),
)


def test_report_has_the_documented_keys_and_fails_if_a_control_passes() -> None:
    seed_result = SeedResult(seed=1, connection="ascend", requests=18, faults_fired={"graceful worker restart": 2})
    result = Result(asdict(seed_result))
    control = Result(asdict(SeedResult(seed=0, connection="ascend"))) | {"removed_guard": "fence"}
    unnoticed = make_report([result], [control])
    assert set(DOCUMENTED_KEYS) <= set(unnoticed)
    counts = unnoticed["seeds"], unnoticed["requests"], unnoticed["faults_fired"]
    assert counts == (1, 18, {"graceful worker restart": 2})
    verdict = unnoticed["negative_control_failed"], unnoticed["unnoticed_controls"], unnoticed["ok"]
    assert verdict == (False, ["fence"], False)
    noticed = make_report([result], [control | {"violations": [{"rule": "leftover"}]}])
    assert (noticed["negative_control_failed"], noticed["ok"]) == (True, True)


def test_seed_always_gets_the_same_plan() -> None:
    assert make_plan(7) == make_plan(7)
    assert make_plan(7) != make_plan(8)


def test_connections_take_turns_unless_one_is_named() -> None:
    assert [make_plan(seed).connection for seed in (1, 2, 3)] == ["ascend", "nexhealth", "ascend"]
    assert make_plan(7, "nexhealth").connection == "nexhealth"
