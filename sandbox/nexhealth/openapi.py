"""Checks every call against NexHealth's own OpenAPI document, if it is available, corrected where it is wrong."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.store import Row

FILE_NAME, HOST = "nexhealth-openapi.json", "https://nexhealth.info"


def _make_nullable(document: Row, schema_ending: str, *properties: str) -> None:
    """Let these properties be null in every schema whose name ends like this."""
    schemas = document["components"]["schemas"]
    for schema, definition in schemas.items():
        for name in properties:
            declared = definition.get("properties", {}).get(name)
            if declared is not None and schema.endswith(schema_ending):
                resolved = schemas[declared["$ref"].rpartition("/")[2]] if "$ref" in declared else declared
                definition["properties"][name] = {**resolved, "nullable": True}


def _correct_envelopes(document: Row) -> None:
    for ending in ("_Response", "_WithCursor"):
        _make_nullable(document, ending, "description", "error")


def _correct_errors(document: Row) -> None:
    for error in ("BadRequest", "Unauthorized", "Forbidden", "NotFound", "InternalServerError"):
        _make_nullable(document, f"API_Errors_{error}", "data", "description")


def _correct_payment_secret(document: Row) -> None:
    _make_nullable(document, "_AppointmentResponse", "stripe_client_secret")


def _correct_hours_label(document: Row) -> None:
    for schema in ("WorkingHour", "WorkingHourBasic", "WorkingHourWithAppointmentTypes"):
        _make_nullable(document, f"_{schema}", "label")


def _correct_block_patient(document: Row) -> None:
    document["components"]["schemas"]["postAppointments"]["properties"]["appt"]["required"].remove("patient_id")


def _correct_media_types(document: Row) -> None:
    for path in document["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                if response.get("content"):
                    response["content"] = {"application/json": next(iter(response["content"].values()))}


def _add_not_found_responses(document: Row) -> None:
    error = {"schema": {"$ref": "#/components/schemas/API_Errors_NotFound"}}
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].setdefault("404", {"description": "", "content": {"application/json": error}})


CORRECTIONS: tuple[tuple[str, Callable[[Row], None], str], ...] = (
    ("description and error of every answer", _correct_envelopes, "typed as text and list, but live answers have null"),
    ("data and description of every error", _correct_errors, "typed as object and text, but live errors have null"),
    ("stripe_client_secret", _correct_payment_secret, "typed as text, but null without a payment"),
    ("label of working hours", _correct_hours_label, "typed as object, but null if the system has no labels"),
    (
        "patient_id of a new appointment",
        _correct_block_patient,
        "required, but its description says to omit it in a block",
    ),
    ("404 answers", _add_not_found_responses, "missing, but the guide says that every call without a version gets one"),
    ("media type of answers", _correct_media_types, "some have only the old media type, which is sent only on request"),
)
"""Where the document contradicts the vendor's guide or live answers: the place, the correction, and the reason."""


_UNDOCUMENTED_STATUSES = (204, 429)
"""204 has no body, and only the guide mentions 429."""


class ViolationRecorder:
    """Needs the development requirements: openapi-core is not installed in production."""

    def __init__(self, folder: Path | None) -> None:
        self.violations: list[str] = []
        self._document: Any = None
        if folder is not None and (folder / FILE_NAME).exists():
            from openapi_core import OpenAPI

            document = json.loads((folder / FILE_NAME).read_text())
            for _, correct, _ in CORRECTIONS:
                correct(document)
            self._document = OpenAPI.from_dict(document)

    def record_violations(self, request: Request, body: bytes, response: Response) -> None:
        """Record what the document does not allow in the answer and, if the call succeeded, in the request.

        The records name fields but contain no values.
        """
        if self._document is None or response.media_type == "text/html":
            return
        from openapi_core.exceptions import OpenAPIError
        from openapi_core.testing import MockRequest, MockResponse
        from werkzeug.datastructures import ImmutableMultiDict

        path, query = request.url.path, ImmutableMultiDict(request.query_params.multi_items())
        headers, method = dict(request.headers), request.method.lower()
        sent = MockRequest(HOST, method, path, args=query, headers=headers, data=body or None)
        answered = MockResponse(bytes(response.body), response.status_code, dict(response.headers))
        checks: list[tuple[str, Callable[[], None]]] = []
        if response.status_code < 300:
            checks.append(("request", lambda: self._document.validate_request(sent)))
        if response.status_code not in _UNDOCUMENTED_STATUSES:
            checks.append(("answer", lambda: self._document.validate_response(sent, answered)))
        for what, check in checks:
            try:
                check()
            except OpenAPIError as error:
                causes = ", ".join(_schema_errors(error)) or type(error.__cause__ or error).__name__
                self.violations.append(f"{request.method} {path} {what} {response.status_code}: {causes}")


def _schema_errors(error: Exception) -> Iterator[str]:
    for schema_error in getattr(error.__cause__, "schema_errors", ()):
        yield f"{'.'.join(str(part) for part in schema_error.absolute_path)}: {schema_error.validator}"
