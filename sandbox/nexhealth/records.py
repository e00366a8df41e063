"""The vendor's objects: a patient and an appointment as the copy holds them, and as an office's row fills them."""

from typing import Any
from zoneinfo import ZoneInfo

from sandbox.nexhealth.systems import System
from sandbox.store import Row
from sandbox.times import instant, instant_text

BIO = {
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
NOT_YET = {"foreign_id": None, "foreign_id_type": "nex", "last_sync_time": None}


def source(location: Row, system: System) -> str:
    """The ``foreign_id_type`` of what comes out of an office's system."""
    return f"msg-{system.name}-DataSource-{location['id']}"


def patient(location: Row, first: str, last: str, email: str | None, bio: Row, **given: Any) -> Row:
    return {
        "email": email,
        "first_name": first,
        "middle_name": None,
        "last_name": last,
        "name": f"{first} {last}",
        "institution_id": location["institution_id"],
        **NOT_YET,
        "bio": {**BIO, **bio},
        "inactive": False,
        "guarantor_id": None,
        "billing_type": None,
        "chart_id": None,
        "preferred_language": None,
        "provider_id": None,
        "_location": location["id"],
        **given,
    }


def from_chart(chart: Row) -> Row:
    """The fields of a patient that the office decides."""
    phone = chart["phone"] or ""
    bio = {"date_of_birth": chart["born"], "gender": chart["gender"], "phone_number": phone, "cell_phone_number": phone}
    return {
        "first_name": chart["first"],
        "last_name": chart["last"],
        "name": f"{chart['first']} {chart['last']}",
        "email": chart["email"],
        "inactive": chart["inactive"],
        "bio": {**BIO, **bio},
        "foreign_id": str(chart["id"]),
    }


def appointment(location: Row, **given: Any) -> Row:
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
        **NOT_YET,
        "misc": {},
        "created_by_user_id": None,
        "is_guardian": False,
        "is_new_clients_patient": False,
        "is_past_patient": False,
        "sooner_if_possible": False,
        "referrer": None,
        **given,
        **local_time(location, given["start_time"]),
    }


def from_visit(visit: Row, system: System) -> Row:
    """The fields of an appointment that the office decides, as far as the Synchronizer reads them."""
    note = {"note": visit["note"] or None} if system.reads_notes else {}
    return {
        "provider_id": visit["provider"],
        "operatory_id": visit["operatory"],
        "start_time": instant_text(instant(visit["start"])),
        "end_time": instant_text(instant(visit["end"])),
        "confirmed": visit["confirmed"],
        "cancelled": visit["cancelled"],
        "patient_missed": visit["missed"],
        "checkin_at": visit["checked_in_at"],
        "checked_out": visit["checked_out"],
        "unavailable": visit["block"] is not None,
        "foreign_id": str(visit["id"]),
        **note,
    }


def local_time(location: Row, start: str) -> Row:
    return {"timezone": location["tz"], "timezone_offset": offset(location, start, padded=False)}


def offset(location: Row, moment: str, *, padded: bool) -> str:
    """``-0500`` or, in appointments, ``-5:00``."""
    text = instant(moment).astimezone(ZoneInfo(location["tz"])).strftime("%z")
    return text if padded else f"{text[0]}{int(text[1:3])}:{text[3:]}"


def working_hours(location: int, source: str, **given: object) -> Row:
    return {
        "location_id": location,
        "provider_id": None,
        "operatory_id": None,
        "days": [],
        "specific_date": None,
        "custom_recurrence": None,
        "active": True,
        "source": source,
        "label": None,
        "_types": [],
        **given,
    }
