"""The fields of each collection: those there are, and the few that a list or a row shows to who asks for none.

That there is a default set is documented, what is in it is not: here it is too little to work with.
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
_PLACE = "name abbreviation timeZone taxPercentage website email phone address1 address2 city state postalCode provider"

_ALWAYS = frozenset({"id", "type", "created", "lastModified"})
FIELDS = {
    name: _ALWAYS | frozenset(fields.split())
    for name, fields in {
        "locations": _PLACE,
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
SHOWN = {
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
"""Without ``responseFields``."""
EVERYTHING = "ALL"
INSIDE = frozenset({"id", "type", "url", "number", "phoneType", "extension", "sequence"})
"""Fields of what a row refers to or contains."""
