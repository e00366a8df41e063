"""NexHealth's patient, appointment and working-hours objects, and how rows of an office fill them."""

from typing import Any
from zoneinfo import ZoneInfo

from sandbox.nexhealth.systems import PracticeSystem
from sandbox.store import Row
from sandbox.timestamps import format_timestamp, parse_timestamp

EMPTY_BIO = {
    "city": None,
    "state": None,
    "gender": "Female",
    "zip_code": None,
    "new_patient": False,
    "non_patient": False,
    "phone_number": "",
    "date_of_birth": None,
    "address_line_1": "",
    "address_line_2": "",
    "street_address": "",
    "cell_phone_number": "",
    "home_phone_number": "",
    "work_phone_number": "",
}
NOT_SYNCED = {"foreign_id": None, "foreign_id_type": "nex", "last_sync_time": None}
"""The fields of an object that no office has yet."""


def foreign_id_type(location: Row, system: PracticeSystem) -> str:
    """The ``foreign_id_type`` of objects that come from this office's system."""
    return f"msg-{system.name}-DataSource-{location['id']}"


def patient_object(location: Row, first: str, last: str, email: str | None, bio: Row, **fields: Any) -> Row:
    """A patient that no office has yet."""
    return {
        "email": email,
        "first_name": first,
        "middle_name": None,
        "last_name": last,
        "name": f"{first} {last}",
        "institution_id": location["institution_id"],
        **NOT_SYNCED,
        "bio": {**EMPTY_BIO, **bio},
        "inactive": False,
        "guarantor_id": None,
        "billing_type": None,
        "chart_id": None,
        "preferred_language": None,
        "provider_id": None,
        "_location": location["id"],
        **fields,
    }


def patient_fields(chart: Row) -> Row:
    """The fields of a patient that come from the office's chart."""
    phone = chart["phone"] or ""
    bio = {"date_of_birth": chart["born"], "gender": chart["gender"], "phone_number": phone, "cell_phone_number": phone}
    return {
        "first_name": chart["first"],
        "last_name": chart["last"],
        "name": f"{chart['first']} {chart['last']}",
        "email": chart["email"],
        "inactive": chart["inactive"],
        "bio": {**EMPTY_BIO, **bio},
        "foreign_id": str(chart["id"]),
    }


def appointment_object(location: Row, **fields: Any) -> Row:
    """An appointment that no office has yet."""
    return {
        "patient_id": None,
        "provider_id": None,
        "provider_name": None,
        "confirmed": False,
        "confirmed_at": None,
        "patient_confirmed": False,
        "patient_confirmed_at": None,
        "patient_missed": False,
        "checkin_at": None,
        "checked_out": False,
        "checked_out_at": None,
        "cancelled": False,
        "cancelled_at": None,
        "unavailable": False,
        "note": None,
        "institution_id": location["institution_id"],
        "location_id": location["id"],
        "operatory_id": None,
        "appointment_type_id": 0,
        **NOT_SYNCED,
        "misc": {},
        "created_by_user_id": None,
        "is_guardian": False,
        "is_new_clients_patient": False,
        "is_past_patient": False,
        "sooner_if_possible": False,
        "referrer": None,
        **fields,
        **time_zone_fields(location, fields["start_time"]),
    }


def appointment_fields(office_row: Row, system: PracticeSystem) -> Row:
    """The fields of an appointment that come from the office's row, as far as the Synchronizer reads them."""
    note = {"note": office_row["note"] or None} if system.reads_notes else {}
    return {
        "provider_id": office_row["provider"],
        "operatory_id": office_row["operatory"],
        "start_time": format_timestamp(parse_timestamp(office_row["start"])),
        "end_time": format_timestamp(parse_timestamp(office_row["end"])),
        "confirmed": office_row["confirmed"],
        "cancelled": office_row["cancelled"],
        "patient_missed": office_row["missed"],
        "checkin_at": office_row["checked_in_at"],
        "checked_out": office_row["checked_out"],
        "unavailable": office_row["block"] is not None,
        "foreign_id": str(office_row["id"]),
        **note,
    }


def time_zone_fields(location: Row, start: str) -> Row:
    return {"timezone": location["tz"], "timezone_offset": _utc_offset(location, start)}


def _utc_offset(location: Row, moment: str) -> str:
    """As appointments spell it: ``-5:00``, without a leading zero."""
    text = parse_timestamp(moment).astimezone(ZoneInfo(location["tz"])).strftime("%z")
    return f"{text[0]}{int(text[1:3])}:{text[3:]}"


def working_hours_object(location_id: int, source: str, **fields: object) -> Row:
    """``source`` is ``manual`` or ``synced``."""
    return {
        "location_id": location_id,
        "provider_id": None,
        "operatory_id": None,
        "days": [],
        "specific_date": None,
        "custom_recurrence": None,
        "active": True,
        "source": source,
        "label": None,
        "_types": [],
        **fields,
    }
