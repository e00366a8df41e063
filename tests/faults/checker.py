"""The judge: pure functions over what was left behind, each for one invariant. Nothing here asks anybody."""

from tests.faults.calendar_rules import duplicated, existence, leftovers, overlaps, unexpected
from tests.faults.course_rules import answers_agree, charts, liveness, lost, privacy, replay, storms
from tests.faults.desk_rules import staff_edits, stays, written_again
from tests.faults.facts import Evidence, Violation
from tests.faults.message_rules import accepted, last_word, notices, opt_outs, repeats, told_the_truth

RULES = (
    lost,
    existence,
    duplicated,
    leftovers,
    overlaps,
    unexpected,
    staff_edits,
    written_again,
    stays,
    told_the_truth,
    last_word,
    repeats,
    accepted,
    notices,
    opt_outs,
    charts,
    liveness,
    replay,
    storms,
    privacy,
    answers_agree,
)


def judge(evidence: Evidence) -> list[Violation]:
    found: list[Violation] = []
    for rule in RULES:
        found += rule(evidence)
    return found
