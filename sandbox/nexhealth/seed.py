"""The practice that NexHealth starts with, one location for each practice system. Every person is invented."""

from sandbox.nexhealth.records import foreign_id_type, patient_fields, patient_object, working_hours_object
from sandbox.nexhealth.state import NexHealthState
from sandbox.nexhealth.systems import SYSTEMS
from sandbox.store import Row

API_KEY = "sandbox-nexhealth-key"
SUBDOMAIN = "bright-harbor"
OTHER_SUBDOMAIN = "far-shore"
"""Another customer of NexHealth, which our API key cannot reach."""

_LOCATIONS = (
    (101, "Portland", "OR", "America/Los_Angeles", "dentrix", "5035550120"),
    (102, "Phoenix", "AZ", "America/Phoenix", "dentrixenterprise", "6025550130"),
    (103, "Boston", "MA", "America/New_York", "eaglesoft", "6175550140"),
)
_PROVIDERS = {
    101: ((201, "Aspen", "Testwell", False), (202, "Ivy", "Sampleford", False), (207, "Laurel", "Inactive", True)),
    102: ((203, "Juniper", "Mockley", False), (204, "Clover", "Examplewood", False)),
    103: ((205, "Linden", "Trialby", False), (206, "Sorrel", "Fixture", False)),
}
_OPERATORIES = {101: (301, 302, 303), 102: (311, 312), 103: (321, 322, 323)}
_TYPES = (("Cleaning", 60), ("Consult", 30), ("Exam", 30))
_WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
_FIRST_TYPE, _FIRST_DESCRIPTOR, _FIRST_HOURS, _FIRST_RECALL, _FIRST_PATIENT = 401, 501, 601, 701, 901
_FIRST_CHART = 30_001
"""An id of the offices' own systems; the others are NexHealth's."""


def seed(state: NexHealthState) -> None:
    now = state.clock.timestamp()
    for row_id, subdomain, name in ((1, SUBDOMAIN, "Bright Harbor Dental"), (2, OTHER_SUBDOMAIN, "Far Shore Dental")):
        state.synced_copy.put("institutions", _institution(row_id, subdomain, name, now))
    for number, (location_id, *_) in enumerate(_LOCATIONS):
        location = _location(number, now)
        state.synced_copy.put("locations", location)
        sync_fields = {"foreign_id_type": location["foreign_id_type"], "last_sync_time": now}
        sync_fields |= {"created_at": now, "updated_at": now}
        for provider in _PROVIDERS[location_id]:
            state.synced_copy.put("providers", _provider(*provider, location_id) | sync_fields)
        for operatory_id in _OPERATORIES[location_id]:
            state.synced_copy.put("operatories", _operatory(operatory_id, location_id) | sync_fields)
        _seed_types(state, location, number, sync_fields)
        _seed_recall(state, location, number, sync_fields)
        _seed_hours(state, location_id, number, synced=SYSTEMS[location["_system"]].synced_hours)
    for number, fields in enumerate(_charts()):
        chart = {"id": _FIRST_CHART + number, "gender": "Other", "nex_id": None, "keys": [], **fields}
        state.offices.save("patients", chart)
        _seed_patient(state, _FIRST_PATIENT + number, chart, now)


def _institution(row_id: int, subdomain: str, name: str, now: str) -> Row:
    return {
        "id": row_id,
        "name": name,
        "subdomain": subdomain,
        "appointment_types_location_scoped": True,
        "is_sync_notifications": False,
        "notify_insert_fails": False,
        "country_code": "US",
        "phone_number": "5105550100",
        "created_at": now,
        "updated_at": now,
        "_foreign": subdomain == OTHER_SUBDOMAIN,
    }


def _location(number: int, now: str) -> Row:
    location_id, city, us_state, zone, system, phone = _LOCATIONS[number]
    location = {
        "id": location_id,
        "name": f"Bright Harbor Dental {city}",
        "institution_id": 1,
        "street_address": "1 Example Street",
        "street_address_2": None,
        "city": city,
        "state": us_state,
        "zip_code": "90001",
        "country_code": "US",
        "phone_number": phone,
        "email": f"desk.{city.lower()}@practice.example",
        "tz": zone,
        "latitude": None,
        "longitude": None,
        "insert_appt_client": True,
        "map_by_operatory": True,
        "set_availability_by_operatory": False,
        "inactive": False,
        "created_at": now,
        "updated_at": now,
        "_system": system,
        "foreign_id": "1",
    }
    return location | {"foreign_id_type": foreign_id_type(location, SYSTEMS[system])}


def _provider(row_id: int, first: str, last: str, inactive: bool, location_id: int) -> Row:
    return {
        "id": row_id,
        "email": None,
        "first_name": first,
        "middle_name": None,
        "last_name": last,
        "name": f"{first} {last}",
        "display_name": None,
        "institution_id": 1,
        "inactive": inactive,
        "foreign_id": f"DR{row_id}",
        "bio": {},
        "npi": None,
        "tin": None,
        "state_license": None,
        "specialty_code": None,
        "nexhealth_specialty": "General Dentistry",
        "provider_requestables": [] if inactive else [{"location_id": location_id}],
        "_locations": [location_id],
    }


def _operatory(row_id: int, location_id: int) -> Row:
    name = f"OP{row_id % 10}"
    return {
        "id": row_id,
        "name": name,
        "display_name": name,
        "foreign_id": str(row_id),
        "location_id": location_id,
        "active": True,
        "bookable_online": True,
    }


def _seed_types(state: NexHealthState, location: Row, number: int, sync_fields: Row) -> None:
    """The location's appointment types, each with one descriptor. ``number`` counts the locations from 0."""
    for offset, (name, minutes) in enumerate(_TYPES):
        descriptor_id = _FIRST_DESCRIPTOR + 10 * number + offset
        descriptor = {
            "id": descriptor_id,
            "name": name,
            "code": f"D{1110 + offset}",
            "descriptor_type": "Procedure Code",
            "location_id": location["id"],
            "data": {},
            "active": True,
            "foreign_id": str(descriptor_id),
        }
        state.synced_copy.put("descriptors", descriptor | sync_fields)
        appointment_type = {
            "id": _FIRST_TYPE + 10 * number + offset,
            "name": name,
            "minutes": minutes,
            "parent_type": "Location",
            "parent_id": location["id"],
            "bookable_online": True,
            "_descriptors": [descriptor_id],
        }
        state.synced_copy.put("appointment_types", appointment_type)


def _seed_recall(state: NexHealthState, location: Row, number: int, sync_fields: Row) -> None:
    """One of the location's patients is due for a cleaning."""
    stamps = {name: sync_fields[name] for name in ("foreign_id_type", "created_at", "updated_at")}
    recall_type = {
        "id": _FIRST_RECALL + number,
        "name": "PROPHY",
        "description": "Cleaning",
        "interval_num": 6,
        "interval_unit": "M",
    }
    foreign_id = str(number)
    state.synced_copy.put(
        "recall_types", {**recall_type, "location_id": location["id"], "foreign_id": foreign_id, **stamps}
    )
    recall = {
        "id": _FIRST_RECALL + 10 + number,
        "date_due": "2027-02-01",
        "appointment_id": None,
        "patient_id": _FIRST_PATIENT + number,
        "recall_id": recall_type["id"],
        "recall_type": recall_type,
        "foreign_id": foreign_id,
        "_location": location["id"],
    }
    state.synced_copy.put("patient_recalls", recall | stamps)


def _seed_hours(state: NexHealthState, location_id: int, number: int, *, synced: bool) -> None:
    """Working hours of every active provider in every operatory, read from the office or entered by hand."""
    type_ids = [_FIRST_TYPE + 10 * number + offset for offset in range(len(_TYPES))]
    row_id = _FIRST_HOURS + 20 * number
    for provider_id, _, _, inactive in _PROVIDERS[location_id]:
        for operatory_id in () if inactive else _OPERATORIES[location_id]:
            hours = working_hours_object(
                location_id,
                "synced" if synced else "manual",
                begin_time="08:00",
                end_time="17:00",
                provider_id=provider_id,
                operatory_id=operatory_id,
                days=_WEEK,
                _types=type_ids,
            )
            state.synced_copy.put("working_hours", {"id": row_id, **hours})
            row_id += 1


def _seed_patient(state: NexHealthState, row_id: int, chart: Row, now: str) -> None:
    """Put the chart into NexHealth's copy too. Without a read cycle, so that its id is the same after every reset."""
    location = state.get("locations", chart["location"])
    sync_fields = {"foreign_id_type": location["foreign_id_type"], "last_sync_time": now, "created_at": now}
    patient = patient_object(location, chart["first"], chart["last"], chart["email"], {})
    row = {"id": row_id, **patient, **sync_fields, "updated_at": now, **patient_fields(chart)}
    state.synced_copy.put("patients", row)


def _charts() -> list[Row]:
    """Ordinary patients, twins, two with one name, a family with one phone, an inactive one, and a placeholder for each
    location.
    """
    people = [
        ("Opal", "Sampleton", "1981-01-15", "opal@patients.example", "5035550121", 101),
        ("Jasper", "Mockridge", "1976-06-30", "jasper@patients.example", "6025550131", 102),
        ("Coral", "Placeholm", "1991-09-09", "coral@patients.example", "6175550141", 103),
        ("Lapis", "Twinley", "2014-05-05", "twinleys@patients.example", "5035550122", 101),
        ("Lazuli", "Twinley", "2014-05-05", "twinleys@patients.example", "5035550122", 101),
        ("Jade", "Doublet", "1987-08-08", "jade.one@patients.example", "5035550123", 101),
        ("Jade", "Doublet", "1987-08-08", "jade.two@patients.example", "5035550124", 101),
        ("Onyx", "Kinfolk", "1983-02-02", "kinfolks@patients.example", "6175550142", 103),
        ("Pearl", "Kinfolk", "2011-12-12", "kinfolks@patients.example", "6175550142", 103),
        ("Flint", "Awayson", "1961-03-03", "flint@patients.example", "6025550132", 102),
        ("Online", "Booking Portland", "1900-01-01", None, None, 101),
        ("Online", "Booking Phoenix", "1900-01-01", None, None, 102),
        ("Online", "Booking Boston", "1900-01-01", None, None, 103),
    ]
    names = ("first", "last", "born", "email", "phone", "location")
    return [dict(zip(names, person, strict=True)) | {"inactive": person[1] == "Awayson"} for person in people]
