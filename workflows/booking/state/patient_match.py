"""Which chart the patient has."""

from dataclasses import dataclass
from datetime import datetime

from domain.booking import Reason
from domain.matching import Match, Verdict

BY_STAFF = ("staff",)
"""Why a chart matches, if a person chose it."""


@dataclass
class PatientMatch:
    match: Match | None = None
    excluded_charts: tuple[str, ...] = ()
    """Charts that the desk found to be somebody else's."""
    read_at: datetime | None = None
    """When the charts were last read. ``None``: not by this booking."""
    merged_into: tuple[str, ...] = ()
    """Charts into which this patient's chart was merged while the booking waited."""
    accepted_chart: str | None = None
    """A chart that the desk wants although it is not active."""

    created_chart: str | None = None
    """The chart that this booking created, whichever the visit is for by now."""

    @property
    def doubt(self) -> Reason | None:
        """Why a person must choose the chart, or ``None``."""
        if self.match is None or self.match.verdict is not Verdict.ASK:
            return None
        return self.match.reason or Reason.PATIENT_AMBIGUOUS

    @property
    def candidates(self) -> tuple[str, ...]:
        return self.match.candidates if self.match is not None else ()

    @property
    def is_on_guardians_chart(self) -> bool:
        """The patient is booked on the guardian's chart."""
        return self.match is not None and self.match.dependent

    @property
    def is_new_patient(self) -> bool:
        """This booking created the chart, or books on the guardian's chart."""
        return self.is_on_guardians_chart or (self.match is not None and "created" in self.match.because)

    def record_match(self, match: Match, now: datetime) -> None:
        self.match, self.read_at = match, now
        if "created" in match.because:
            self.created_chart = match.chart

    def record_reading(self, reading: Match, now: datetime) -> None:
        """The matched chart was read again."""
        match = self.match
        assert match is not None
        self.read_at = now
        if reading.verdict is Verdict.ASK:
            if self.accepted_chart is None or self.accepted_chart not in reading.candidates:
                self.match = reading
        elif reading.chart != match.chart and reading.chart is not None:
            self.merged_into += (reading.chart,)
            self.match = match.model_copy(update={"chart": reading.chart})

    def choose(self, chart: str | None) -> None:
        """A person says that this is the patient's chart."""
        if self.doubt is Reason.CHART_INACTIVE and chart in self.candidates:
            self.accepted_chart = chart
        self.match = Match(verdict=Verdict.MATCHED, chart=chart, because=BY_STAFF)

    def rule_out_candidates(self) -> None:
        """A person says that the patient is new: none of the candidates is theirs."""
        self.excluded_charts = self.candidates
        self.match = Match(verdict=Verdict.NEW, because=BY_STAFF)

    def reset_unless_settled(self) -> None:
        """Look the patient up again, unless a chart matched or a person decided."""
        match = self.match
        is_settled = match is not None and (match.verdict is Verdict.MATCHED or "staff" in match.because)
        self.match = match if is_settled else None

    def rekey(self, chart: str | None, former: str) -> None:
        """The chart got another id when the first appointment landed; a dependent now has a chart of their own."""
        match = self.match
        if self.created_chart == former and chart:
            self.created_chart = chart
        if match is not None and match.chart == former and chart and chart != former:
            self.match = match.model_copy(update={"chart": chart, "dependent": False})
