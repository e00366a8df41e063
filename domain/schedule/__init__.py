"""The conflict engine: which slots are free, and why a slot is not. Every step of a booking uses it."""

from domain.schedule.conflicts import Facts, calendar_conflicts, conflicts
from domain.schedule.empty_days import causes_of_empty_day
from domain.schedule.openings import alternatives, candidate_slots, openings

__all__ = [
    "Facts",
    "alternatives",
    "calendar_conflicts",
    "candidate_slots",
    "causes_of_empty_day",
    "conflicts",
    "openings",
]
