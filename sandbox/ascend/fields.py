"""The fields of each collection, and the default set that a request without ``responseFields`` gets.

Ascend documents that a default set exists but not what is in it. Ours is too small for a client to work with, so a
client must ask for what it needs.
"""

_APPOINTMENT = (
    "start end duration title status statusId other note bookingType bookedOnline needsFollowup needsFollowUp"
    " needsPremedicate followedUpOn insuranceEligibilityVerified confirmed leftMessage practiceProcedures"
    " patientProcedures visits location operatory patient provider otherProvider labCaseDentalLab labCaseStatus"
    " labCaseDueDate labCaseNote"
)
_PATIENT = (
    "firstName lastName middleInitial nameSuffix suffix preferredName title dateOfBirth gender patientStatus"
    " contactMethod languageType emailAddress phones address1 address2 city state postalCode chartNumber"
    " preferredLocation preferredDays preferredTimes primaryProvider duplicateOfPatient primaryGuarantor"
    " secondaryGuarantor primaryContact secondaryContact referredByPatient referredByReferral discountPlan"
    " firstVisitDate"
)
_PROVIDER = (
    "firstName lastName middleInitial shortName title npi specialty color active isPrimaryProvider"
    " isNonPersonEntity signatureOnFile insuranceCarriers user location"
)
_EVENT = (
    "title description color start end duration allDay recurrenceType recurrenceFrequency recurrenceStart"
    " recurrenceEnd location operatory provider"
)
_PROCEDURE = "adaCode aliasCode description abbreviatedDescription category treatmentArea fee active favorite"
_TEMPLATE = "title color start end dayOfWeek bookOnline bookingTypes reasons location operatory providers"
_LOCATION = (
    "name abbreviation timeZone taxPercentage website email phone address1 address2 city state postalCode provider"
)

_COMMON = frozenset({"id", "type", "created", "lastModified"})
FIELDS = {
    name: _COMMON | frozenset(fields.split())
    for name, fields in {
        "locations": _LOCATION,
        "providers": _PROVIDER,
        "operatories": "name shortName active location",
        "appointments": _APPOINTMENT,
        "patients": _PATIENT,
        "scheduletemplates": _TEMPLATE,
        "scheduletemplatereasons": "reason durationMinutes location",
        "practiceprocedures": _PROCEDURE,
        "events": _EVENT,
    }.items()
}
DEFAULT_FIELDS = {
    "locations": "id,type,name",
    "providers": "id,type,lastName",
    "operatories": "id,type,shortName",
    "appointments": "id,type,start,status",
    "patients": "id,type,firstName,lastName",
    "scheduletemplates": "id,type,title",
    "scheduletemplatereasons": "id,type,reason",
    "practiceprocedures": "id,type,adaCode",
    "events": "id,type,title",
}
"""What a request without ``responseFields`` gets."""
ALL_FIELDS = "ALL"
"""The value of ``responseFields`` that asks for the whole row."""
NESTED_FIELDS = frozenset({"id", "type", "url", "number", "phoneType", "extension", "sequence"})
"""What a filter may name inside a field, as in ``patient.id`` or ``phones.number``."""
