"""Which chart belongs to a person. If there is any doubt, staff decide."""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from enum import StrEnum

from nameparser import HumanName
from rapidfuzz.distance import JaroWinkler

from domain.base import Value
from domain.booking import Reason
from domain.patient import Chart, ChartStatus
from domain.phone import phone_key
from domain.request import Person

MIN_NAME_SIMILARITY = 0.88
"""From this Jaro-Winkler similarity on, two names may be spellings of one name."""


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


class _Comparison(Value):
    """How one chart compares to the person."""

    chart: Chart
    same_first_name: bool
    similar_first_name: bool
    same_last_name: bool
    similar_last_name: bool
    same_birth_date: bool
    shared_contact: bool
    no_contact: bool
    """The chart has neither a phone nor an email."""

    @property
    def is_same_person(self) -> bool:
        return self.same_first_name and self.same_last_name and self.same_birth_date

    @property
    def is_near_match(self) -> bool:
        """Whether it may be the same person with another spelling, a nickname or a mistyped date."""
        if self.same_birth_date and self.same_last_name and self.similar_first_name:
            return True
        if self.same_birth_date and self.shared_contact and self.similar_last_name and self.similar_first_name:
            return True
        undated_namesake = self.chart.date_of_birth is None and self.same_first_name and self.same_last_name
        return undated_namesake and (self.shared_contact or self.no_contact)

    @property
    def rank(self) -> tuple[int, int, str]:
        """Sort key: the best match comes first, then the oldest chart."""
        score = 4 * self.same_first_name + 2 * self.same_last_name + 4 * self.same_birth_date + 2 * self.shared_contact
        return (-score, len(self.chart.id), self.chart.id)


def match(person: Person, returning: bool | None, charts: Sequence[Chart]) -> Match:
    """Decide which of the charts is this person's, if any.

    A chart matches without staff only if first name, last name, birth date and at least one contact agree, or if
    all but the contact agree and the chart has no contact. A chart that was merged into another one is evidence
    that the other one may be this person's.
    """
    charts_by_id = {chart.id: chart for chart in charts}
    comparisons = sorted((_compare(person, chart) for chart in charts), key=lambda each: each.rank)
    merge_targets = {
        _merged_into(each.chart, charts_by_id).id for each in comparisons if each.is_same_person or each.is_near_match
    }
    originals = [each for each in comparisons if _merged_into(each.chart, charts_by_id) is each.chart]
    same = [each for each in originals if each.is_same_person]
    near = [
        each for each in originals if not each.is_same_person and (each.is_near_match or each.chart.id in merge_targets)
    ]
    candidates = tuple(each.chart.id for each in (*same, *near))
    contact_agrees = [each for each in same if each.shared_contact] or [each for each in same if each.no_contact]
    if not same:
        if near:
            return _ask(Reason.PATIENT_AMBIGUOUS, candidates)
        if returning:
            return _ask(Reason.PATIENT_NOT_FOUND, ())
        return Match(verdict=Verdict.NEW)
    if len(same) > 1 and len(contact_agrees) != 1:
        return _ask(Reason.PATIENT_AMBIGUOUS, candidates)
    if not contact_agrees:
        return _ask(Reason.CONTACT_MISMATCH, candidates)
    best = contact_agrees[0]
    if best.chart.status in (ChartStatus.INACTIVE, ChartStatus.NON_PATIENT, ChartStatus.DUPLICATE):
        return _ask(Reason.CHART_INACTIVE, candidates)
    if returning is False:
        return _ask(Reason.PATIENT_EXISTS, candidates)
    because = ("name", "birth_date") + (("contact",) if best.shared_contact else ())
    return Match(verdict=Verdict.MATCHED, chart=best.chart.id, candidates=candidates, because=because)


def identity_key(person: Person) -> str:
    """Text that is equal for every spelling of the same name and birth date. Store it only as a keyed hash."""
    return f"{name_key(person.first_name)}|{_last_name_key(person.last_name)}|{person.date_of_birth.isoformat()}"


def name_key(name: str) -> str:
    """A name without case, accents, apostrophes, hyphens and spaces."""
    decomposed = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in decomposed if c.isalnum())


def email_key(address: str) -> str:
    """An email address without case and plus tag."""
    local, _, host = address.strip().casefold().partition("@")
    return f"{local.split('+', 1)[0]}@{host}"


def contact_key(contact: str) -> str:
    """Text that is equal for every spelling of an email address; E.164 phone numbers are returned as they are.

    Store it only as a keyed hash.
    """
    return email_key(contact) if "@" in contact else contact


def _ask(reason: Reason, candidates: tuple[str, ...]) -> Match:
    return Match(verdict=Verdict.ASK, reason=reason, candidates=candidates)


def _merged_into(chart: Chart, charts_by_id: Mapping[str, Chart]) -> Chart:
    """The last chart in the chain of merges that starts at this chart, as far as the charts are known."""
    visited: set[str] = set()  # charts can be merged in a circle
    while chart.id not in visited and (target := charts_by_id.get(chart.duplicate_of or "")) is not None:
        visited.add(chart.id)
        chart = target
    return chart


def _compare(person: Person, chart: Chart) -> _Comparison:
    first_name, last_name = name_key(person.first_name), _last_name_key(person.last_name)
    chart_first_names = {name_key(name) for name in (chart.first_name, chart.preferred_name) if name}
    chart_last_name = _last_name_key(chart.last_name)
    phones = {phone_key(phone) for phone in chart.phones} - {""}
    emails = {email_key(chart.email)} if chart.email else set()
    shares_phone = person.mobile is not None and phone_key(person.mobile) in phones
    shares_email = person.email is not None and email_key(person.email) in emails
    same_last_name = last_name == chart_last_name
    return _Comparison(
        chart=chart,
        same_first_name=first_name in chart_first_names and not _suffixes_differ(person, chart),
        similar_first_name=any(_first_names_similar(first_name, each) for each in chart_first_names)
        or not chart_first_names,
        same_last_name=same_last_name,
        similar_last_name=same_last_name or JaroWinkler.similarity(last_name, chart_last_name) >= MIN_NAME_SIMILARITY,
        same_birth_date=chart.date_of_birth == person.date_of_birth,
        shared_contact=shares_phone or shares_email,
        no_contact=not any(chart.phones) and not emails,
    )


def _first_names_similar(one: str, other: str) -> bool:
    """Whether two name keys are equal, similar spellings, one the start of the other, or known short forms."""
    if one == other or JaroWinkler.similarity(one, other) >= MIN_NAME_SIMILARITY:
        return True
    if len(one) >= 2 and len(other) >= 2 and (one.startswith(other) or other.startswith(one)):
        return True
    return any(one in group and other in group for group in _SHORT_FORMS)


def _last_name_key(name: str) -> str:
    return name_key(re.sub(_SUFFIX_PATTERN, "", name, flags=re.IGNORECASE))


_SUFFIX_PATTERN = r"[\s,]+(jr|sr|ii|iii|iv)\.?\s*$"


def _suffix_key(last_name: str, suffix: str | None) -> str:
    suffix_in_name = HumanName(f"X {last_name}").suffix
    return name_key(suffix or suffix_in_name)


def _suffixes_differ(person: Person, chart: Chart) -> bool:
    """Whether both have a suffix, such as Jr and Sr, and the two are not the same."""
    person_suffix = _suffix_key(person.last_name, None)
    chart_suffix = _suffix_key(chart.last_name, chart.name_suffix)
    return bool(person_suffix and chart_suffix and person_suffix != chart_suffix)


_SHORT_FORMS = tuple(
    frozenset(group.split())
    for group in (
        "william will bill billy liam",
        "robert rob bob bobby",
        "richard rick dick richie",
        "james jim jimmy jamie",
        "john jack johnny",
        "elizabeth liz beth betty eliza lisa",
        "margaret maggie meg peggy greta",
        "katherine catherine kathryn kate katie kathy cathy",
        "michael mike mickey",
        "edward ed eddie ted",
        "charles charlie chuck",
        "jose pepe",
        "francisco paco pancho",
        "guadalupe lupe",
        "ignacio nacho",
        "patricia pat patty trish",
        "susan sue suzy",
        "anthony tony antonio",
        "theodore theo ted teddy",
        "henry harry hank",
    )
)
