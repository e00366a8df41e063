"""The patient's chart: matched, chosen by a person, or created."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.patients import CreateChartInput, MatchPatientInput, PatientActivities, RecheckChartInput
    from domain.booking import Reason
    from domain.matching import Verdict
    from workflows.booking.state.booking_state import BookingState
    from workflows.shared.activity_runner import ActivityRunner
    from workflows.shared.outcomes import NeedsStaff


class PatientSteps:
    def __init__(self, state: BookingState, runner: ActivityRunner) -> None:
        self._state = state
        self._runner = runner

    async def match(self) -> None:
        """Look the patient up. Raises NeedsStaff if the service is not for new, or not for existing, patients."""
        request, policy = self._state.booking.request, self._state.booking.policy
        match = await self._runner.run_urgent(
            PatientActivities.match_patient,
            MatchPatientInput(
                location=policy.location,
                person=request.patient,
                guardian=request.guardian,
                returning=request.returning,
            ),
            "Match the patient to a chart",
        )
        self._state.patient.record_match(match, workflow.now())
        is_new = match.verdict is Verdict.NEW or match.dependent
        if is_new and not policy.new_patients:
            raise NeedsStaff(Reason.NOT_FOR_NEW_PATIENTS)
        if match.verdict is Verdict.MATCHED and not is_new and not policy.existing_patients:
            raise NeedsStaff(Reason.NOT_FOR_EXISTING_PATIENTS)

    async def get_or_create_chart(self) -> str:
        """The id of the matched chart, or of a new one. Raises NeedsStaff if the match has become doubtful."""
        patient = self._state.patient
        if patient.match is not None and patient.match.chart is not None:
            return await self._current_chart(patient.match.chart)
        request = self._state.booking.request
        is_on_guardians_chart, slot = patient.is_on_guardians_chart, self._state.reservation.slot
        created = await self._runner.run_urgent(
            PatientActivities.create_chart,
            CreateChartInput(
                reference=self._state.booking.reference,
                location=request.location,
                person=request.guardian if is_on_guardians_chart and request.guardian else request.patient,
                language=request.language,
                excluded_charts=patient.excluded_charts,
                provider=slot.provider if slot is not None else None,
            ),
            "Create a chart for the new patient",
        )
        patient.record_match(created.model_copy(update={"dependent": is_on_guardians_chart}), workflow.now())
        if patient.doubt is not None or created.chart is None:
            raise NeedsStaff(patient.doubt or Reason.PATIENT_AMBIGUOUS)
        return created.chart

    async def _current_chart(self, chart: str) -> str:
        """The chart that is in use now. After a long wait it may have been merged or set inactive."""
        patient = self._state.patient
        if not self._state.is_chart_stale(workflow.now()):
            return chart
        reading = await self._runner.run_urgent(
            PatientActivities.recheck_chart,
            RecheckChartInput(location=self._state.booking.request.location, chart=chart),
            "Read the chart again",
        )
        patient.record_reading(reading, workflow.now())
        if patient.match is None or patient.match.chart is None:
            raise NeedsStaff(patient.doubt or Reason.PATIENT_AMBIGUOUS)
        return patient.match.chart
