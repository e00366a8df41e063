"""Requests held against the vendors' own OpenAPI documents, where a folder of them is given."""

import json
from pathlib import Path
from typing import Any

from sandbox.ascend import Answer

DOCUMENTS = {
    "sendgrid": ("sendgrid-mail-v3.json", "https://api.sendgrid.com"),
    "twilio": ("twilio-messages-2010.json", "https://api.twilio.com"),
}


class Contracts:
    """Needs the development requirements: openapi-core is not part of what runs in production."""

    def __init__(self, folder: Path | None) -> None:
        self._documents: dict[str, tuple[Any, str]] = {}
        for system, (name, host) in DOCUMENTS.items() if folder is not None else ():
            from openapi_core import OpenAPI

            assert folder is not None
            self._documents[system] = OpenAPI.from_dict(json.loads((folder / name).read_text())), host

    def check(self, system: str, method: str, path: str, headers: dict[str, str], body: bytes) -> None:
        """Raises Answer with status 400 for a request that the vendor's document does not allow."""
        found = self._documents.get(system)
        if found is None or method != "POST":
            return
        from openapi_core.exceptions import OpenAPIError
        from openapi_core.testing import MockRequest

        document, host = found
        kind = headers.get("content-type", "").partition(";")[0]
        request = MockRequest(host, "post", path, headers=headers, data=body, content_type=kind)
        try:
            document.validate_request(request)
        except OpenAPIError as wrong:
            cause = type(wrong.__cause__ or wrong).__name__
            raise Answer(400, {"errors": [{"message": f"against the vendor's document: {cause}"}]}) from None
