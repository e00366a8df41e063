"""The practice that Ascend starts with. Every person is invented."""

import itertools
from collections.abc import Iterator

from sandbox.store import Row, Store
from sandbox.timestamps import current_timestamp

ORGANIZATION = "5f0000000000000000000001"
CLIENT = ("sandbox-client", "sandbox-secret")
"""The API client's id and secret."""

_LOCATIONS = {
    "7000000000101": ("Oakland", "America/Los_Angeles", ["12000000000301", "12000000000302", "12000000000303"]),
    "7000000000102": ("Denver", "America/Denver", ["12000000000311", "12000000000312"]),
    "7000000000103": ("Brooklyn", "America/New_York", ["12000000000321", "12000000000322", "12000000000323"]),
}
_PROVIDERS = {
    "9000000000201": ("Maple", "Testerson", "DDS"),
    "9000000000202": ("Hazel", "Brightwater", "RDH"),
    "9000000000203": ("Cedar", "Samplewood", "DDS"),
    "9000000000204": ("Holly", "Moorfield", "RDH"),
    "9000000000205": ("Birch", "Examplar", "DDS"),
    "9000000000206": ("Heather", "Finchley", "RDH"),
    "9000000000207": ("Willow", "Inactive", "DDS"),
}
_DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY")
_TEMPLATE_REASONS = (("Cleaning", 60), ("Consult", 30), ("Exam", 40), ("Emergency", 30))
_FIRST_TEMPLATE_ID, _FIRST_PATIENT_ID = 13_000_000_000_402, 9_000_000_000_301
_PROCEDURES = (("14000000000501", "D1110"), ("14000000000502", "D0150"), ("14000000000503", "D0140"))


def seed(store: Store) -> None:
    stamp = {"lastModified": current_timestamp()}
    store.put("organization", {"id": "1", "key": ORGANIZATION, "name": "Bright Harbor Dental", **stamp})
    for row_id, (first, last, title) in _PROVIDERS.items():
        row = {"firstName": first, "lastName": last, "title": title, "active": last != "Inactive"}
        store.put("providers", {"id": row_id, "type": "ProviderV1", "shortName": last, **row, **stamp})
    for row_id, code in _PROCEDURES:
        store.put("practiceprocedures", {"id": row_id, "type": "PracticeProcedureV1", "adaCode": code, **stamp})
    template_ids = itertools.count(_FIRST_TEMPLATE_ID)
    for location_id in _LOCATIONS:
        _seed_location(store, location_id, template_ids, stamp)
    for number, row in enumerate(_patients(), 1):
        patient = {"id": str(_FIRST_PATIENT_ID - 1 + number), "type": "PatientV1", "created": current_timestamp()}
        store.put("patients", {**patient, **stamp, **row})


def _seed_location(store: Store, location_id: str, template_ids: Iterator[int], stamp: Row) -> None:
    name, zone, operatory_ids = _LOCATIONS[location_id]
    location = {"id": location_id, "type": "LocationV1"}
    store.put("locations", {**location, "name": name, "abbreviation": name[:2], "timeZone": zone, **stamp})
    for number, operatory_id in enumerate(operatory_ids, 1):
        operatory = {"id": operatory_id, "type": "OperatoryV1"}
        names = {"name": f"Operatory {number}", "shortName": f"OP{number}"}
        store.put("operatories", {**operatory, **names, "active": True, "location": location, **stamp})
        for day in _DAYS:
            template = _schedule_template(str(next(template_ids)), day, location, operatory, stamp)
            store.put("scheduletemplates", template)
    for reason, minutes in _TEMPLATE_REASONS:
        row: Row = {"id": str(next(template_ids)), "type": "ScheduleTemplateReasonV1", "reason": reason}
        row |= {"durationMinutes": minutes, "location": location, **stamp}
        store.put("scheduletemplatereasons", row)


def _schedule_template(row_id: str, day: str, location: Row, operatory: Row, stamp: Row) -> Row:
    return {
        "id": row_id,
        "type": "ScheduleTemplateV1",
        "title": "Online",
        "color": "FFCA00",
        "start": "08:00",
        "end": "17:00",
        "dayOfWeek": day,
        "bookOnline": True,
        "bookingTypes": ["NEW_PATIENT", "EXISTING_PATIENT"],
        "reasons": [],
        "location": location,
        "operatory": operatory,
        "providers": [],
        **stamp,
    }


def _patients() -> list[Row]:
    """Ordinary patients, twins, two with one name, a family with one phone, an inactive one, and a placeholder for each
    location.
    """
    people = [
        ("Tess", "Sampleton", "1980-01-15", "tess@patients.example", "5105550111", "7000000000101"),
        ("Dale", "Mockridge", "1975-06-30", "dale@patients.example", "3035550112", "7000000000102"),
        ("Fern", "Placeholm", "1990-09-09", "fern@patients.example", "7185550113", "7000000000103"),
        ("Castor", "Twinley", "2015-05-05", "twinley@patients.example", "5105550114", "7000000000101"),
        ("Pollux", "Twinley", "2015-05-05", "twinley@patients.example", "5105550114", "7000000000101"),
        ("Alex", "Doublet", "1988-08-08", "alex.one@patients.example", "5105550115", "7000000000101"),
        ("Alex", "Doublet", "1988-08-08", "alex.two@patients.example", "5105550116", "7000000000101"),
        ("Rowan", "Kinfolk", "1982-02-02", "kinfolk@patients.example", "7185550117", "7000000000103"),
        ("Wren", "Kinfolk", "2012-12-12", "kinfolk@patients.example", "7185550117", "7000000000103"),
        ("Gone", "Awayson", "1960-03-03", "gone@patients.example", "3035550118", "7000000000102"),
        ("Online", "Booking Oakland", "1900-01-01", None, None, "7000000000101"),
        ("Online", "Booking Denver", "1900-01-01", None, None, "7000000000102"),
        ("Online", "Booking Brooklyn", "1900-01-01", None, None, "7000000000103"),
    ]
    return [patient_row(*person, status="INACTIVE" if person[1] == "Awayson" else "ACTIVE") for person in people]


def patient_row(
    first: str, last: str, born: str, email: str | None, phone: str | None, location: str, status: str = "ACTIVE"
) -> Row:
    phones = [{"number": phone, "phoneType": "MOBILE", "sequence": 1}] if phone else []
    return {
        "firstName": first,
        "lastName": last,
        "dateOfBirth": born,
        "emailAddress": email,
        "phones": phones,
        "patientStatus": status,
        "contactMethod": "TEXT ME",
        "languageType": "ENGLISH",
        "gender": "O",
        "preferredLocation": {"id": location, "type": "LocationV1"},
        "address1": "1 Example Street",
        "city": "Sampletown",
        "state": "CA",
        "postalCode": "90001",
    }
