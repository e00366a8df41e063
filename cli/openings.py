"""The command that shows which slots can be booked."""

from datetime import datetime
from typing import Annotated

import typer

from cli import render
from cli.names import named_slots
from cli.options import JsonOutput
from cli.runner import run_in_session
from cli.terminal import SafeConsole, print_json
from client import OpeningsFinder, OpeningsSurvey, Session


def openings(
    location: Annotated[str, typer.Option(help="The location's id in the practice file.")],
    service: Annotated[str, typer.Option(help="The service's id in the practice file.")],
    first_day: Annotated[
        datetime | None, typer.Option("--from", formats=["%Y-%m-%d"], help="First day; today if left out.")
    ] = None,
    days: Annotated[int, typer.Option(min=1, max=60, help="How many days.")] = 7,
    as_json: JsonOutput = False,
) -> None:
    """Show free slots from the live calendar."""

    async def work(session: Session) -> OpeningsSurvey:
        session.practice.rule(location, service)  # refuse an unknown name before any connection is opened
        async with OpeningsFinder.open(session.settings, session.practice) as finder:
            survey = await finder.survey(location, service, first_day.date() if first_day else None, days)
            return survey._replace(slots=named_slots(survey.slots, session.practice.location(location)))

    survey = run_in_session(work, as_json, needs_temporal=False)
    if as_json:
        print_json(
            {
                "openings": [slot.model_dump(mode="json") for slot in survey.slots],
                "empty_days": {day.isoformat(): list(causes) for day, causes in survey.empty_days.items()},
            }
        )
    else:
        render.print_openings(SafeConsole(), survey, location, service)
