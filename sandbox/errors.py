"""Error answers of the simulated vendors, raised as exceptions."""

from typing import Any

Body = dict[str, Any]


class ErrorResponse(Exception):
    """Ends a call with this HTTP status and JSON body."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


def coded_error(status: int, code: str, field: str = "") -> ErrorResponse:
    """An error in the shape of Ascend's own errors. The control interface uses the same shape."""
    error = {"code": code, "title": code.replace("_", " "), "description": "", "source": field}
    return ErrorResponse(status, {"statusCode": status, "errors": [error]})


def apigee_fault(text: str, code: str) -> Body:
    """The error body of Apigee, the gateway in front of Ascend."""
    return {"fault": {"faultstring": text, "detail": {"errorcode": code}}}
