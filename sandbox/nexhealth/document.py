"""Every call held against the vendor's own OpenAPI document, where it is at hand, corrected where it is wrong."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sandbox.store import Row

NAME, HOST = "nexhealth-openapi.json", "https://nexhealth.info"


def _nullable(document: Row, ending: str, *names: str) -> None:
    schemas = document["components"]["schemas"]
    for schema, definition in schemas.items():
        for name in names:
            found = definition.get("properties", {}).get(name)
            if found is not None and schema.endswith(ending):
                found = schemas[found["$ref"].rpartition("/")[2]] if "$ref" in found else found
                definition["properties"][name] = {**found, "nullable": True}


def _envelopes(document: Row) -> None:
    for ending in ("_Response", "_WithCursor"):
        _nullable(document, ending, "description", "error")


def _errors(document: Row) -> None:
    for error in ("BadRequest", "Unauthorized", "Forbidden", "NotFound", "InternalServerError"):
        _nullable(document, f"API_Errors_{error}", "data", "description")


def _secret(document: Row) -> None:
    _nullable(document, "_AppointmentResponse", "stripe_client_secret")


def _label(document: Row) -> None:
    for schema in ("WorkingHour", "WorkingHourBasic", "WorkingHourWithAppointmentTypes"):
        _nullable(document, f"_{schema}", "label")


def _blocks(document: Row) -> None:
    document["components"]["schemas"]["postAppointments"]["properties"]["appt"]["required"].remove("patient_id")


def _json(document: Row) -> None:
    for path in document["paths"].values():
        for operation in path.values():
            for response in operation["responses"].values():
                if response.get("content"):
                    response["content"] = {"application/json": next(iter(response["content"].values()))}


def _unknown(document: Row) -> None:
    error = {"schema": {"$ref": "#/components/schemas/API_Errors_NotFound"}}
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"].setdefault("404", {"description": "", "content": {"application/json": error}})


DEVIATIONS: tuple[tuple[str, Callable[[Row], None], str], ...] = (
    ("description and error of every answer", _envelopes, "typed as text and list, but null in every live answer"),
    ("data and description of every refusal", _errors, "typed as object and text, but null in live refusals"),
    ("stripe_client_secret", _secret, "typed as text, but null where nothing is paid"),
    ("label of working hours", _label, "typed as object, but null where the system has no labels"),
    ("patient_id of a new appointment", _blocks, "required, though the text beside it says to leave it out of a block"),
    ("answers with 404", _unknown, "the guide: a missing version header is a 404 everywhere; missing in the document"),
    ("media type of answers", _json, "some are documented only in their old form, which nobody sends without asking"),
)
"""What in the document does not agree with the guide or with live answers: where, the correction, and why."""


_UNDOCUMENTED = (204, 429)
"""An answer without a body, and one that only the guide knows of."""


class Document:
    """Needs the development requirements: openapi-core is not part of what runs in production."""

    def __init__(self, folder: Path | None) -> None:
        self.violations: list[str] = []
        self._document: Any = None
        if folder is not None and (folder / NAME).exists():
            from openapi_core import OpenAPI

            text = json.loads((folder / NAME).read_text())
            for _, correct, _ in DEVIATIONS:
                correct(text)
            self._document = OpenAPI.from_dict(text)

    def compare(self, request: Request, body: bytes, response: Response) -> None:
        """Note what the document does not allow: in any answer, and in a request that was granted. No values."""
        if self._document is None or response.media_type == "text/html":
            return
        from openapi_core.exceptions import OpenAPIError
        from openapi_core.testing import MockRequest, MockResponse
        from werkzeug.datastructures import ImmutableMultiDict

        path, query = request.url.path, ImmutableMultiDict(request.query_params.multi_items())
        headers, method = dict(request.headers), request.method.lower()
        asked = MockRequest(HOST, method, path, args=query, headers=headers, data=body or None)
        given = MockResponse(bytes(response.body), response.status_code, dict(response.headers))
        checks: list[tuple[str, Callable[[], None]]] = []
        if response.status_code < 300:
            checks.append(("request", lambda: self._document.validate_request(asked)))
        if response.status_code not in _UNDOCUMENTED:
            checks.append(("answer", lambda: self._document.validate_response(asked, given)))
        for what, check in checks:
            try:
                check()
            except OpenAPIError as wrong:
                causes = ", ".join(_causes(wrong)) or type(wrong.__cause__ or wrong).__name__
                self.violations.append(f"{request.method} {path} {what} {response.status_code}: {causes}")


def _causes(wrong: Exception) -> Iterator[str]:
    for error in getattr(wrong.__cause__, "schema_errors", ()):
        yield f"{'.'.join(str(part) for part in error.absolute_path)}: {error.validator}"
