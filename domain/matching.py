"""Whose chart it is: normalise, compare, decide. In doubt a person decides, never we."""

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

SIMILAR = 0.88
"""Jaro-Winkler similarity of names from which two spellings may be one person's."""


class Verdict(StrEnum):
    MATCHED = "matched"
    NEW = "new"
    ASK = "ask"


class Match(Value):
    verdict: Verdict
    chart: str | None = None
    reason: Reason | None = None
    """Why a person must decide."""
    candidates: tuple[str, ...] = ()
    """Chart ids that may fit, best first."""
    because: tuple[str, ...] = ()
    """What agreed; words, no patient data."""
    dependent: bool = False
    """The chart is the guardian's, or is to be: the practice system makes the patient's own with the visit."""


class _Fit(Value):
    """How one chart compares to the person."""

    chart: Chart
    first: bool
    first_similar: bool
    last: bool
    last_similar: bool
    born: bool
    contact: bool
    contactless: bool

    @property
    def same_person(self) -> bool:
        return self.first and self.last and self.born

    @property
    def near(self) -> bool:
        """May be the same person under another spelling, a nickname or a mistyped date."""
        if self.born and self.last and self.first_similar:
            return True
        if self.born and self.contact and self.last_similar and self.first_similar:
            return True
        undated = self.chart.date_of_birth is None and self.first and self.last
        return undated and (self.contact or self.contactless)

    @property
    def rank(self) -> tuple[int, int, str]:
        score = 4 * self.first + 2 * self.last + 4 * self.born + 2 * self.contact
        return (-score, len(self.chart.id), self.chart.id)


def match(person: Person, returning: bool | None, charts: Sequence[Chart]) -> Match:
    """Decide which of the charts the practice system returned is this person's, if any.

    Only the same first and last name, birth date and at least one shared contact (or a chart without any)
    settles it by itself. A chart merged into another counts as a sign that the other may be this person's.
    """
    known = {chart.id: chart for chart in charts}
    fits = sorted((_compare(person, chart) for chart in charts), key=lambda fit: fit.rank)
    like_merged = {_original(fit.chart, known).id for fit in fits if fit.same_person or fit.near}
    fits = [fit for fit in fits if _original(fit.chart, known) is fit.chart]
    same = [fit for fit in fits if fit.same_person]
    near = [fit for fit in fits if not fit.same_person and (fit.near or fit.chart.id in like_merged)]
    candidates = tuple(fit.chart.id for fit in (*same, *near))
    sharing = [fit for fit in same if fit.contact] or [fit for fit in same if fit.contactless]
    if not same:
        if near:
            return _ask(Reason.PATIENT_AMBIGUOUS, candidates)
        if returning:
            return _ask(Reason.PATIENT_NOT_FOUND, ())
        return Match(verdict=Verdict.NEW)
    if len(same) > 1 and len(sharing) != 1:
        return _ask(Reason.PATIENT_AMBIGUOUS, candidates)
    if not sharing:
        return _ask(Reason.CONTACT_MISMATCH, candidates)
    found = sharing[0]
    if found.chart.status in (ChartStatus.INACTIVE, ChartStatus.NON_PATIENT, ChartStatus.DUPLICATE):
        return _ask(Reason.CHART_INACTIVE, candidates)
    if returning is False:
        return _ask(Reason.PATIENT_EXISTS, candidates)
    because = ("name", "birth_date") + (("contact",) if found.contact else ())
    return Match(verdict=Verdict.MATCHED, chart=found.chart.id, candidates=candidates, because=because)


def identity_key(person: Person) -> str:
    """Canonical text of who this is; keep it only as a keyed hash."""
    return f"{name_key(person.first_name)}|{_last_key(person.last_name)}|{person.date_of_birth.isoformat()}"


def name_key(name: str) -> str:
    """A name without case, accents, apostrophes, hyphens and blanks."""
    plain = unicodedata.normalize("NFKD", name.casefold())
    return "".join(c for c in plain if c.isalnum())


def email_key(address: str) -> str:
    """An address without case and plus-tag."""
    local, _, host = address.strip().casefold().partition("@")
    return f"{local.split('+', 1)[0]}@{host}"


def address_key(address: str) -> str:
    """Of a phone as requests have it, or of an email however it is written; keep it only as a keyed hash."""
    return email_key(address) if "@" in address else address


def _ask(reason: Reason, candidates: tuple[str, ...]) -> Match:
    return Match(verdict=Verdict.ASK, reason=reason, candidates=candidates)


def _original(chart: Chart, known: Mapping[str, Chart]) -> Chart:
    """The chart that this one was merged into in the end, as far as it is known."""
    passed: set[str] = set()
    while chart.id not in passed and (into := known.get(chart.duplicate_of or "")) is not None:
        passed.add(chart.id)
        chart = into
    return chart


def _compare(person: Person, chart: Chart) -> _Fit:
    first, last = name_key(person.first_name), _last_key(person.last_name)
    firsts = {name_key(name) for name in (chart.first_name, chart.preferred_name) if name}
    their_last = _last_key(chart.last_name)
    phones = {phone_key(phone) for phone in chart.phones} - {""}
    emails = {email_key(chart.email)} if chart.email else set()
    shares_phone = person.mobile is not None and phone_key(person.mobile) in phones
    shares_email = person.email is not None and email_key(person.email) in emails
    return _Fit(
        chart=chart,
        first=first in firsts and not _suffixes_differ(person, chart),
        first_similar=any(_alike(first, theirs) for theirs in firsts) or not firsts,
        last=last == their_last,
        last_similar=last == their_last or JaroWinkler.similarity(last, their_last) >= SIMILAR,
        born=chart.date_of_birth == person.date_of_birth,
        contact=shares_phone or shares_email,
        contactless=not any(chart.phones) and not emails,
    )


def _alike(one: str, other: str) -> bool:
    """The same name, a spelling of it, a shortening, or a known short form."""
    if one == other or JaroWinkler.similarity(one, other) >= SIMILAR:
        return True
    if len(one) >= 2 and len(other) >= 2 and (one.startswith(other) or other.startswith(one)):
        return True
    return any(one in group and other in group for group in _SHORT_FORMS)


def _last_key(name: str) -> str:
    return name_key(re.sub(_SUFFIX, "", name, flags=re.IGNORECASE))


_SUFFIX = r"[\s,]+(jr|sr|ii|iii|iv)\.?\s*$"


def _suffix(last_name: str, suffix: str | None) -> str:
    parsed = HumanName(f"X {last_name}").suffix
    return name_key(suffix or parsed)


def _suffixes_differ(person: Person, chart: Chart) -> bool:
    ours, theirs = _suffix(person.last_name, None), _suffix(chart.last_name, chart.name_suffix)
    return bool(ours and theirs and ours != theirs)


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
