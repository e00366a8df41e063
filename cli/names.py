"""Show providers and operatories by their names in the practice file, which are also what options take."""

from collections.abc import Mapping, Sequence

from domain.booking import BookingView
from domain.practice import Location, Practice, UnknownName
from domain.slot import Slot


def named_view(view: BookingView, practice: Practice) -> BookingView:
    """The view with names for ids. An id that the practice file does not have stays."""
    try:
        location = practice.location(view.location)
    except UnknownName:
        return view
    return view.model_copy(
        update={
            "provider": _name(view.provider, location.providers),
            "operatory": _name(view.operatory, location.operatories),
            "alternatives": tuple(named_slots(view.alternatives, location)),
        }
    )


def named_slots(slots: Sequence[Slot], location: Location) -> list[Slot]:
    return [
        slot.model_copy(
            update={
                "provider": _name(slot.provider, location.providers),
                "operatory": _name(slot.operatory, location.operatories),
            }
        )
        for slot in slots
    ]


def _name(practice_system_id: str | None, ids_by_name: Mapping[str, str]) -> str | None:
    names = {value: name for name, value in ids_by_name.items()}
    return practice_system_id if practice_system_id is None else names.get(practice_system_id, practice_system_id)
