"""Whose chart the visit goes into: found, settled by a person, or created."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.patients import CreateChartInput, MatchPatientInput, PatientActivities
    from domain.booking import Reason
    from domain.matching import Verdict
    from workflows.booking.interruptions import NeedsStaff
    from workflows.booking.messages import BookingInput
    from workflows.booking.state import BookingState
    from workflows.shared.activity_runner import PracticeSteps


class Charts:
    def __init__(self, given: BookingInput, state: BookingState, steps: PracticeSteps) -> None:
        self._given = given
        self._state = state
        self._steps = steps

    async def match(self) -> None:
        """Is this patient known? Raises NeedsStaff where the service is not for them."""
        request, policy = self._given.request, self._given.policy
        match = await self._steps.urgent(
            PatientActivities.match_patient,
            MatchPatientInput(
                location=policy.location,
                person=request.patient,
                guardian=request.guardian,
                returning=request.returning,
            ),
            "Is this patient known?",
        )
        self._state.match = match
        is_new = match.verdict is Verdict.NEW or match.dependent
        if is_new and not policy.new_patients:
            raise NeedsStaff(Reason.NOT_FOR_NEW_PATIENTS)
        if match.verdict is Verdict.MATCHED and not is_new and not policy.existing_patients:
            raise NeedsStaff(Reason.NOT_FOR_EXISTING_PATIENTS)

    async def chart(self) -> str:
        """The one that was found, or a new one. Raises NeedsStaff where it is doubtful by now."""
        match = self._state.match
        if match is not None and match.chart is not None:
            return match.chart
        request = self._given.request
        dependent = match is not None and match.dependent
        created = await self._steps.urgent(
            PatientActivities.create_chart,
            CreateChartInput(
                reference=self._given.reference,
                location=request.location,
                person=request.guardian if dependent and request.guardian else request.patient,
                language=request.language,
                excluded_charts=self._state.excluded_charts,
                provider=self._state.slot.provider if self._state.slot is not None else None,
            ),
            "Create a chart for the new patient",
        )
        self._state.match = created.model_copy(update={"dependent": dependent})
        if self._state.doubt is not None or created.chart is None:
            raise NeedsStaff(self._state.doubt or Reason.PATIENT_AMBIGUOUS)
        return created.chart

    def landed_under(self, chart: str | None, wrote_for: str) -> None:
        """A new patient's chart gets another id with the first appointment, and a dependent one of its own."""
        match = self._state.match
        if match is not None and match.chart == wrote_for and chart and chart != wrote_for:
            self._state.match = match.model_copy(update={"chart": chart, "dependent": False})
