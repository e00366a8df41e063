"""Checks requests to SendGrid and Twilio against the vendors' OpenAPI documents, if they are available."""

import json
from pathlib import Path
from typing import Any

from sandbox.errors import ErrorResponse

DOCUMENTS = {
    "sendgrid": ("sendgrid-mail-v3.json", "https://api.sendgrid.com"),
    "twilio": ("twilio-messages-2010.json", "https://api.twilio.com"),
}
"""File name and server URL, by system."""


class RequestValidator:
    """Needs the development requirements: openapi-core is not installed in production."""

    def __init__(self, folder: Path | None) -> None:
        self._documents: dict[str, tuple[Any, str]] = {}
        if folder is None:
            return
        from openapi_core import OpenAPI

        for system, (file_name, host) in DOCUMENTS.items():
            self._documents[system] = OpenAPI.from_dict(json.loads((folder / file_name).read_text())), host

    def validate(self, system: str, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        """Raises ErrorResponse 400 for a POST that the vendor's document does not allow."""
        if system not in self._documents or method != "POST":
            return
        from openapi_core.exceptions import OpenAPIError
        from openapi_core.testing import MockRequest

        document, host = self._documents[system]
        content_type = headers.get("content-type", "").partition(";")[0]
        request = MockRequest(host, "post", path, headers=headers, data=body, content_type=content_type)
        try:
            document.validate_request(request)
        except OpenAPIError as error:
            cause = type(error.__cause__ or error).__name__
            message = f"does not conform to the vendor's OpenAPI document: {cause}"
            raise ErrorResponse(400, {"errors": [{"message": message}]}) from None
