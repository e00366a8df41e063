"""The practices that begin on NexHealth's side, one for each kind of office; every person is invented."""

from sandbox.nexhealth.records import from_chart, patient, source, working_hours
from sandbox.nexhealth.systems import SYSTEMS
from sandbox.nexhealth.world import World
from sandbox.store import Row

KEY = "sandbox-nexhealth-key"
SUBDOMAIN = "bright-harbor"
ELSEWHERE = "far-shore"
"""Another practice of the vendor's, which our key cannot reach."""

_PLACES = (
    (101, "Portland", "OR", "America/Los_Angeles", "dentrix", "5035550120"),
    (102, "Phoenix", "AZ", "America/Phoenix", "dentrixenterprise", "6025550130"),
    (103, "Boston", "MA", "America/New_York", "eaglesoft", "6175550140"),
)
_PROVIDERS = {
    101: ((201, "Aspen", "Testwell", False), (202, "Ivy", "Sampleford", False), (207, "Laurel", "Inactive", True)),
    102: ((203, "Juniper", "Mockley", False), (204, "Clover", "Examplewood", False)),
    103: ((205, "Linden", "Trialby", False), (206, "Sorrel", "Fixture", False)),
}
_CHAIRS = {101: (301, 302, 303), 102: (311, 312), 103: (321, 322, 323)}
_TYPES = (("Cleaning", 60), ("Consult", 30), ("Exam", 30))
_WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday"]
_FIRST_TYPE, _FIRST_DESCRIPTOR, _FIRST_HOURS, _FIRST_RECALL, _FIRST_PATIENT = 401, 501, 601, 701, 901
_FIRST_CHART = 30_001
"""In the offices' own numbers, as their systems give them."""


def seed(world: World) -> None:
    stamp = world.clock.text()
    for row_id, subdomain, name in ((1, SUBDOMAIN, "Bright Harbor Dental"), (2, ELSEWHERE, "Far Shore Dental")):
        world.copy.put("institutions", _institution(row_id, subdomain, name, stamp))
    for number, (location, city, state, zone, system, phone) in enumerate(_PLACES):
        place = _location(location, city, state, zone, phone, stamp) | {"_system": system}
        place |= {"foreign_id": "1", "foreign_id_type": source(place, SYSTEMS[system])}
        world.copy.put("locations", place)
        read = {"foreign_id_type": place["foreign_id_type"], "last_sync_time": stamp}
        read |= {"created_at": stamp, "updated_at": stamp}
        for row_id, first, last, inactive in _PROVIDERS[location]:
            world.copy.put("providers", _provider(row_id, first, last, inactive, location) | read)
        for row_id in _CHAIRS[location]:
            name = f"OP{row_id % 10}"
            chair = {
                "id": row_id,
                "name": name,
                "display_name": name,
                "foreign_id": str(row_id),
                "location_id": location,
            }
            world.copy.put("operatories", chair | {"active": True, "bookable_online": True} | read)
        _types(world, place, number, read)
        _recall(world, place, number, read)
        _hours(world, location, number, synced=SYSTEMS[system].synced_hours)
    for number, given in enumerate(_charts()):
        chart = {"id": _FIRST_CHART + number, "gender": "Other", "nex_id": None, "keys": [], **given}
        world.offices.save("patients", chart)
        _patient(world, _FIRST_PATIENT + number, chart, stamp)


def _institution(row_id: int, subdomain: str, name: str, stamp: str) -> Row:
    return {
        "id": row_id,
        "name": name,
        "subdomain": subdomain,
        "appointment_types_location_scoped": True,
        "is_sync_notifications": False,
        "notify_insert_fails": False,
        "country_code": "US",
        "phone_number": "5105550100",
        "created_at": stamp,
        "updated_at": stamp,
        "_foreign": subdomain == ELSEWHERE,
    }


def _location(row_id: int, city: str, state: str, zone: str, phone: str, stamp: str) -> Row:
    return {
        "id": row_id,
        "name": f"Bright Harbor Dental {city}",
        "institution_id": 1,
        "street_address": "1 Example Street",
        "street_address_2": None,
        "city": city,
        "state": state,
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
        "created_at": stamp,
        "updated_at": stamp,
    }


def _provider(row_id: int, first: str, last: str, inactive: bool, location: int) -> Row:
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
        "provider_requestables": [] if inactive else [{"location_id": location}],
        "_locations": [location],
    }


def _types(world: World, place: Row, number: int, read: Row) -> None:
    for offset, (name, minutes) in enumerate(_TYPES):
        row_id = _FIRST_TYPE + 10 * number + offset
        descriptor = {"id": _FIRST_DESCRIPTOR + 10 * number + offset, "name": name, "code": f"D{1110 + offset}"}
        more = {"descriptor_type": "Procedure Code", "location_id": place["id"], "data": {}, "active": True}
        world.copy.put("descriptors", {**descriptor, **more, "foreign_id": str(descriptor["id"]), **read})
        owner = {"parent_type": "Location", "parent_id": place["id"], "bookable_online": True}
        kind = {"id": row_id, "name": name, "minutes": minutes, **owner, "_descriptors": [descriptor["id"]]}
        world.copy.put("appointment_types", kind)


def _recall(world: World, place: Row, number: int, read: Row) -> None:
    """The first of the location's patients is due for a cleaning."""
    stamps = {name: read[name] for name in ("foreign_id_type", "created_at", "updated_at")}
    interval = {"name": "PROPHY", "description": "Cleaning", "interval_num": 6, "interval_unit": "M"}
    kind = {"id": _FIRST_RECALL + number, **interval}
    world.copy.put("recall_types", {**kind, "location_id": place["id"], "foreign_id": str(number), **stamps})
    due = {"date_due": "2027-02-01", "appointment_id": None, "patient_id": _FIRST_PATIENT + number}
    known = {"recall_id": kind["id"], "recall_type": kind, "foreign_id": str(number), "_location": place["id"]}
    world.copy.put("patient_recalls", {"id": _FIRST_RECALL + 10 + number, **due, **known, **stamps})


def _hours(world: World, location: int, number: int, *, synced: bool) -> None:
    """Every working provider in every operatory; entered by hand where the office's system has none to read."""
    types = [_FIRST_TYPE + 10 * number + offset for offset in range(len(_TYPES))]
    row_id = _FIRST_HOURS + 20 * number
    for provider, _, _, inactive in _PROVIDERS[location]:
        for chair in () if inactive else _CHAIRS[location]:
            given = {"provider_id": provider, "operatory_id": chair, "days": _WEEK, "_types": types}
            row = working_hours(
                location, "synced" if synced else "manual", begin_time="08:00", end_time="17:00", **given
            )
            world.copy.put("working_hours", {"id": row_id, **row})
            row_id += 1


def _patient(world: World, row_id: int, chart: Row, stamp: str) -> None:
    """In the copy, as if it had been read long ago: so that ids are the same after every reset."""
    place = world.get("locations", chart["location"])
    read = {"foreign_id_type": place["foreign_id_type"], "last_sync_time": stamp, "created_at": stamp}
    blank = patient(place, chart["first"], chart["last"], chart["email"], {})
    world.copy.put("patients", {"id": row_id, **blank, **read, "updated_at": stamp, **from_chart(chart)})


def _charts() -> list[Row]:
    """Regulars, twins, namesakes, a family on one phone, an inactive one and a placeholder for each location."""
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
