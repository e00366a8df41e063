"""Which chart belongs to a person. If there is any doubt, staff decide.

``docs/matching.md`` shows the truth table and explains its terms.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import date
from enum import IntEnum, StrEnum
from typing import NamedTuple

from domain.base import Value
from domain.booking import Reason
from domain.contacts import contact_key, contact_keys, is_filler
from domain.names import are_first_names_similar, are_last_names_similar, last_name, name_key, name_words
from domain.patient import UNBOOKABLE, Chart
from domain.request import Person


class Verdict(StrEnum):
    """The outcome of matching a person to the charts of the practice system."""

    MATCHED = "matched"
    """The person has exactly one chart."""
    NEW = "new"
    """The person has no chart."""
    ASK = "ask"
    """Staff must decide."""


class Match(Value):
    """The decision which chart a person has."""

    verdict: Verdict
    chart: str | None = None
    """The id of the person's chart."""
    reason: Reason | None = None
    """Why staff must decide."""
    candidates: tuple[str, ...] = ()
    """Ids of the charts that may be this person's, best first."""
    because: tuple[str, ...] = ()
    """What the verdict rests on, in fixed words without patient data."""
    dependent: bool = False
    """The chart is or will be the guardian's. The practice system creates the patient's own with the visit."""


class Names(IntEnum):
    """How the names of a person and a chart compare."""

    DIFFERENT = 0
    SIMILAR = 1
    """They may be spellings, short forms or parts of one name."""
    EQUAL = 2


class BirthDates(IntEnum):
    """How the birth dates of a person and a chart compare."""

    DIFFERENT = 0
    UNCERTAIN = 1
    """The chart has none, or one of the two may be mistyped."""
    EQUAL = 2


class Contacts(IntEnum):
    """How the contacts of a person and a chart compare."""

    DIFFERENT = 0
    """None is shared. Fillers, and the practice's own contacts, are not shared."""
    MISSING = 1
    """The chart has neither a phone nor an email."""
    SHARED = 2


_N, _A, _M = Verdict.NEW, Verdict.ASK, Verdict.MATCHED
TRUTH_TABLE: Mapping[tuple[BirthDates, Names], tuple[Verdict, Verdict, Verdict]] = {
    # Contacts:                                 DIFFERENT, MISSING, SHARED
    (BirthDates.EQUAL, Names.EQUAL): (_A, _M, _M),
    (BirthDates.EQUAL, Names.SIMILAR): (_A, _A, _A),
    (BirthDates.EQUAL, Names.DIFFERENT): (_N, _N, _A),
    (BirthDates.UNCERTAIN, Names.EQUAL): (_N, _A, _A),
    (BirthDates.UNCERTAIN, Names.SIMILAR): (_N, _N, _A),
    (BirthDates.UNCERTAIN, Names.DIFFERENT): (_N, _N, _N),
    (BirthDates.DIFFERENT, Names.EQUAL): (_N, _N, _A),
    (BirthDates.DIFFERENT, Names.SIMILAR): (_N, _N, _N),
    (BirthDates.DIFFERENT, Names.DIFFERENT): (_N, _N, _N),
}
"""What one chart says by itself: the person's, perhaps the person's, or somebody else's."""


class _Comparison(NamedTuple):
    """How one chart compares to the person."""

    chart: Chart
    birth_dates: BirthDates
    names: Names
    contacts: Contacts

    @property
    def verdict(self) -> Verdict:
        return TRUTH_TABLE[self.birth_dates, self.names][self.contacts]

    @property
    def is_namesake(self) -> bool:
        """Whether name and birth date are equal."""
        return self.names is Names.EQUAL and self.birth_dates is BirthDates.EQUAL

    @property
    def rank(self) -> tuple[bool, int, int, str]:
        """Sort key: namesakes come first, then what agrees best, then the oldest chart."""
        agreement = 2 * self.names + 2 * self.birth_dates + self.contacts
        return (not self.is_namesake, -agreement, len(self.chart.id), self.chart.id)


def match(
    person: Person, returning: bool | None, charts: Sequence[Chart], *, practice_contacts: Collection[str] = ()
) -> Match:
    """Decide which of the charts is this person's, if any.

    The truth table judges each chart by itself. A chart that was merged into another one is evidence that the other
    one may be this person's. A chart without contacts matches only if no other chart may be this person's.

    ``practice_contacts``: keys of the practice's own phone numbers and email addresses. Staff type them into charts
    of patients who have none, so they say nothing about the patient.
    """
    charts_by_id = {chart.id: chart for chart in charts}
    comparisons = sorted(
        (_compare(person, chart, practice_contacts) for chart in charts_by_id.values()), key=lambda each: each.rank
    )
    merge_targets = {
        _merged_into(each.chart, charts_by_id).id for each in comparisons if each.verdict is not Verdict.NEW
    }
    possible = [
        each
        for each in comparisons
        if each.chart.id in merge_targets and _merged_into(each.chart, charts_by_id) is each.chart
    ]
    candidates = tuple(each.chart.id for each in possible)
    namesakes = [each for each in possible if each.is_namesake]
    # A chart with an unreadable field may be this person's, whatever its other fields say.
    unreadable = [chart.id for chart in charts if chart.unreadable]
    if unreadable and (not namesakes or not set(candidates).isdisjoint(unreadable)):
        return _ask(Reason.PATIENT_AMBIGUOUS, tuple(dict.fromkeys((*candidates, *unreadable))))
    if not possible:
        return _ask(Reason.PATIENT_NOT_FOUND, ()) if returning else Match(verdict=Verdict.NEW)
    if not namesakes:
        return _ask(Reason.PATIENT_AMBIGUOUS, candidates)
    sharing = [each for each in namesakes if each.contacts is Contacts.SHARED]
    without_contacts = [each for each in namesakes if each.contacts is Contacts.MISSING]
    if not sharing and not without_contacts:
        return _ask(Reason.CONTACT_MISMATCH if len(namesakes) == 1 else Reason.PATIENT_AMBIGUOUS, candidates)
    if len(sharing) > 1 or (not sharing and len(possible) > 1):
        return _ask(Reason.PATIENT_AMBIGUOUS, candidates)
    (best,) = sharing or without_contacts
    if best.chart.status in UNBOOKABLE:
        return _ask(Reason.CHART_INACTIVE, candidates)
    if returning is False:
        return _ask(Reason.PATIENT_EXISTS, candidates)
    because = ("name", "birth_date", "contact") if sharing else ("name", "birth_date")
    return Match(verdict=Verdict.MATCHED, chart=best.chart.id, candidates=candidates, because=because)


def identity_key(person: Person) -> str:
    """Text that is equal for every spelling of the same name and birth date. Store it only as a keyed hash."""
    first = name_key(person.first_name) or person.first_name.casefold()
    last = last_name(person.last_name).key or person.last_name.casefold()
    return f"{first}|{last}|{person.date_of_birth.isoformat()}"


def _ask(reason: Reason, candidates: tuple[str, ...]) -> Match:
    return Match(verdict=Verdict.ASK, reason=reason, candidates=candidates)


def _merged_into(chart: Chart, charts_by_id: Mapping[str, Chart]) -> Chart:
    """The last chart in the chain of merges that starts at this chart, as far as the charts are known."""
    visited: set[str] = set()  # charts can be merged in a circle
    while chart.id not in visited and (target := charts_by_id.get(chart.duplicate_of or "")) is not None:
        visited.add(chart.id)
        chart = target
    return chart


def _compare(person: Person, chart: Chart, practice_contacts: Collection[str]) -> _Comparison:
    birth_dates = _compare_birth_dates(person.date_of_birth, chart.date_of_birth)
    names = _compare_names(person, chart)
    # Finding the numbers in a chart takes longer than all else, and for most charts nothing depends on them.
    can_be_owner = any(verdict is not Verdict.NEW for verdict in TRUTH_TABLE[birth_dates, names])
    contacts = _compare_contacts(person, chart, practice_contacts) if can_be_owner else Contacts.DIFFERENT
    return _Comparison(chart, birth_dates, names, contacts)


def _compare_names(person: Person, chart: Chart) -> Names:
    """A name without a letter equals none, and contradicts none."""
    first, last = name_words(person.first_name), last_name(person.last_name)
    chart_firsts = [words for name in (chart.first_name, chart.preferred_name) if (words := name_words(name or ""))]
    chart_last = last_name(chart.last_name)
    chart_suffix = name_key(chart.name_suffix or "") or chart_last.suffix
    suffixes_differ = bool(last.suffix and chart_suffix and last.suffix != chart_suffix)
    is_first_equal = bool(first) and "".join(first) in map("".join, chart_firsts)
    is_last_equal = bool(last.words) and last.key == chart_last.key
    if is_first_equal and is_last_equal and not suffixes_differ:
        return Names.EQUAL
    knows_firsts, knows_lasts = bool(first and chart_firsts), bool(last.words and chart_last.words)
    is_first_similar = not knows_firsts or any(are_first_names_similar(first, each) for each in chart_firsts)
    is_last_similar = not knows_lasts or are_last_names_similar(last.words, chart_last.words)
    if (knows_firsts or knows_lasts) and is_first_similar and is_last_similar:
        return Names.SIMILAR
    is_rearranged = any(_is_rearranged({*first, *last.words}, {*each, *chart_last.words}) for each in chart_firsts)
    return Names.SIMILAR if is_rearranged else Names.DIFFERENT


def _is_rearranged(words: set[str], chart_words: set[str]) -> bool:
    """Whether one name has all words of the other, as when first and last name were swapped."""
    return min(len(words), len(chart_words)) > 1 and (words <= chart_words or chart_words <= words)


def _compare_birth_dates(one: date, other: date | None) -> BirthDates:
    if one == other:
        return BirthDates.EQUAL
    return BirthDates.UNCERTAIN if other is None or _may_be_mistyped(one, other) else BirthDates.DIFFERENT


def _may_be_mistyped(one: date, other: date) -> bool:
    """Whether day and month are swapped, or one digit differs, or two digits beside each other are swapped."""
    if (one.year, one.month, one.day) == (other.year, other.day, other.month):
        return True
    digits, other_digits = one.isoformat().replace("-", ""), other.isoformat().replace("-", "")
    wrong = [i for i in range(len(digits)) if digits[i] != other_digits[i]]
    if len(wrong) == 1:
        return True
    first, last = wrong[0], wrong[-1]
    is_swapped = (digits[first], digits[last]) == (other_digits[last], other_digits[first])
    return len(wrong) == 2 and last - first == 1 and is_swapped


def _compare_contacts(person: Person, chart: Chart, practice_contacts: Collection[str]) -> Contacts:
    if not any(text and text.strip() for text in (*chart.phones, chart.email)):
        return Contacts.MISSING
    contacts = {contact_key(contact) for contact in (person.mobile, person.email) if contact}
    shared = contacts & contact_keys(chart.phones, [chart.email or ""])
    is_telling = any(not is_filler(key) and key not in practice_contacts for key in shared)
    return Contacts.SHARED if is_telling else Contacts.DIFFERENT
