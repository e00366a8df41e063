"""The practice that the sandbox begins with; every person is invented."""

from sandbox.store import Row, Store
from sandbox.times import now_text

ORGANIZATION = "5f0000000000000000000001"
CLIENT = ("sandbox-client", "sandbox-secret")
SENDGRID_KEY = "SG.sandbox"
TWILIO_ACCOUNT = "AC" + "1".rjust(32, "0")
TWILIO_LOGIN = ("SK" + "1".rjust(32, "0"), "sandbox-twilio")

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
_REASONS = (("Cleaning", 60), ("Consult", 30), ("Exam", 40), ("Emergency", 30))
_PROCEDURES = (("14000000000501", "D1110"), ("14000000000502", "D0150"), ("14000000000503", "D0140"))


def seed(store: Store) -> None:
    stamp = {"lastModified": now_text()}
    store.put("organization", {"id": "1", "key": ORGANIZATION, "name": "Bright Harbor Dental", **stamp})
    for row_id, (first, last, title) in _PROVIDERS.items():
        row = {"firstName": first, "lastName": last, "title": title, "active": last != "Inactive"}
        store.put("providers", {"id": row_id, "type": "ProviderV1", "shortName": last, **row, **stamp})
    for row_id, code in _PROCEDURES:
        store.put("practiceprocedures", {"id": row_id, "type": "PracticeProcedureV1", "adaCode": code, **stamp})
    serial = 13_000_000_000_401
    for location, (name, zone, operatories) in _LOCATIONS.items():
        place = {"id": location, "type": "LocationV1"}
        store.put("locations", {**place, "name": name, "abbreviation": name[:2], "timeZone": zone, **stamp})
        for number, operatory in enumerate(operatories, 1):
            chair = {"id": operatory, "type": "OperatoryV1"}
            names = {"name": f"Operatory {number}", "shortName": f"OP{number}"}
            store.put("operatories", {**chair, **names, "active": True, "location": place, **stamp})
            for day in _DAYS:
                serial += 1
                store.put("scheduletemplates", _template(str(serial), day, place, chair, stamp))
        for reason, minutes in _REASONS:
            serial += 1
            row = {"id": str(serial), "type": "ScheduleTemplateReasonV1", "reason": reason, "durationMinutes": minutes}
            store.put("scheduletemplatereasons", {**row, "location": place, **stamp})
    for number, row in enumerate(_patients(), 1):
        patient = {"id": str(9_000_000_000_300 + number), "type": "PatientV1", "created": now_text(), **stamp}
        store.put("patients", {**patient, **row})


def _template(row_id: str, day: str, place: Row, chair: Row, stamp: Row) -> Row:
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
        "location": place,
        "operatory": chair,
        "providers": [],
        **stamp,
    }


def _patients() -> list[Row]:
    """Regulars, twins, namesakes, a family on one phone, an inactive one and a placeholder for each location."""
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
    return [patient(*person, status="INACTIVE" if person[1] == "Awayson" else "ACTIVE") for person in people]


def patient(
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
