"""Email and SMS over real HTTP: what is sent, and what each failure means."""

import asyncio
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from openapi_core import OpenAPI
from openapi_core.testing import MockRequest

from adapters.errors import (
    Misconfigured,
    OutcomeUnknown,
    OutsideError,
    RateLimited,
    Refused,
    Unavailable,
    Undeliverable,
)
from adapters.messaging.sendgrid import SendGridConfig, SendGridMessenger, mail_body
from adapters.messaging.twilio import TwilioConfig, TwilioMessenger
from adapters.messenger import OutgoingMessage
from devstack import free_port
from tests.support.sandbox import CONTRACTS, SandboxControl

TOMORROW = datetime.now(UTC) + timedelta(days=1)
EMAIL = OutgoingMessage(
    key="k" * 32,
    to="nova@patients.example",
    subject="An update\r\nBcc: x@y.example",
    text="Hello",
    send_before=TOMORROW,
)
SMS = OutgoingMessage(
    send_before=TOMORROW,
    key="k" * 32,
    to="+15105550121",
    text="Hello",
    deliver_before=datetime.now(UTC) + timedelta(days=3),
)


def sendgrid(url: str, **changes: Any) -> SendGridMessenger:
    settings = {"api_key": "SG.sandbox", "sender": "desk@practice.example", "timeout": 30.0, **changes}
    return SendGridMessenger(SendGridConfig(base_url=url, **settings))


def twilio(url: str, **changes: Any) -> TwilioMessenger:
    settings = {
        "account_sid": "AC" + "1".rjust(32, "0"),
        "api_key_sid": "SK" + "1".rjust(32, "0"),
        "api_key_secret": "sandbox-twilio",
        "messaging_service_sid": "MG" + "1".rjust(32, "0"),
        "read_timeout": 30.0,
        **changes,
    }
    return TwilioMessenger(TwilioConfig(base_url=url, **settings))


async def test_email_goes_to_one_person_with_only_an_opaque_key(sandbox: SandboxControl) -> None:
    assert await sendgrid(sandbox.url).send(EMAIL)
    (sent,) = sandbox.state()["emails"]
    assert sent["to"] == EMAIL.to
    assert sent["custom_args"] == {"msg_key": EMAIL.key}
    assert "\n" not in sent["subject"]
    assert await sendgrid(sandbox.url).check() == []


async def test_text_with_an_unknown_outcome_can_be_found(sandbox: SandboxControl) -> None:
    messenger, start = twilio(sandbox.url), datetime.now(UTC)
    assert await messenger.find_sent(SMS, start) == ()
    sid = await messenger.send(SMS)
    assert await messenger.find_sent(SMS, start) == (sid,)
    assert await messenger.find_sent(SMS, start + timedelta(hours=1)) == ()
    (sent,) = sandbox.state()["texts"]
    form = sent["form"]
    assert (form["ContentRetention"], form["AddressRetention"], form["ValidityPeriod"]) == (
        "discard",
        "obfuscate",
        "36000",
    )
    await messenger.close()


FAULTS = [
    ({"kind": "status_after", "status": 500}, OutcomeUnknown),
    ({"kind": "status_before", "status": 503}, OutcomeUnknown),
    ({"kind": "hang_after", "seconds": 30}, OutcomeUnknown),
    ({"kind": "rate_limited"}, RateLimited),
    ({"kind": "status_before", "status": 401}, Misconfigured),
    ({"kind": "status_before", "status": 400}, Refused),
]


@pytest.mark.parametrize(("fault", "error"), FAULTS)
async def test_each_failure_of_an_email_has_its_own_error(
    sandbox: SandboxControl, fault: dict[str, Any], error: type[OutsideError]
) -> None:
    sandbox.fault(system="sendgrid", path="/v3/mail/send", **fault)
    timeouts = {"timeout": 2.0} if fault["kind"] == "hang_after" else {}
    with pytest.raises(OutsideError) as failure:
        await sendgrid(sandbox.url, **timeouts).send(EMAIL)
    assert type(failure.value) is error
    assert EMAIL.to not in str(failure.value)


@pytest.mark.parametrize(("fault", "error"), FAULTS)
async def test_each_failure_of_a_text_has_its_own_error(
    sandbox: SandboxControl, fault: dict[str, Any], error: type[OutsideError]
) -> None:
    sandbox.fault(system="twilio", path="/Messages.json", **fault)
    timeouts = {"read_timeout": 2.0} if fault["kind"] == "hang_after" else {}
    with pytest.raises(OutsideError) as failure:
        await twilio(sandbox.url, **timeouts).send(SMS)
    assert type(failure.value) is error
    assert SMS.to not in str(failure.value)


@pytest.mark.parametrize(
    ("number", "code"), [("+15005550001", "21211"), ("+15005550009", "21614"), ("+15005550004", "21610")]
)
async def test_unreachable_number_is_undeliverable_with_twilios_code(
    sandbox: SandboxControl, number: str, code: str
) -> None:
    with pytest.raises(Undeliverable) as failure:
        await twilio(sandbox.url).send(SMS.model_copy(update={"to": number}))
    assert failure.value.code == code


async def test_number_in_quiet_hours_may_be_tried_later(sandbox: SandboxControl) -> None:
    with pytest.raises(RateLimited):
        await twilio(sandbox.url).send(SMS.model_copy(update={"to": "+15005550005"}))


async def test_hanging_emails_do_not_block_other_work(sandbox: SandboxControl) -> None:
    """DNS lookups use the event loop's shared threads, which a blocking SDK would use up."""
    sandbox.fault(system="sendgrid", path="/v3/mail/send", kind="hang_before", seconds=30, times=None)
    messenger = sendgrid(sandbox.url)
    emails = [asyncio.create_task(messenger.send(EMAIL)) for _ in range(40)]
    await asyncio.sleep(0.2)
    await asyncio.get_running_loop().getaddrinfo("localhost", 80)
    assert not any(email.done() for email in emails)
    for email in emails:
        email.cancel()
    await messenger.close()


async def test_refused_connection_means_certainly_not_sent() -> None:
    url = f"http://127.0.0.1:{free_port(0)}"
    for call in (sendgrid(url).send(EMAIL), twilio(url).send(SMS)):
        with pytest.raises(Unavailable):
            await call


class RedirectHandler(BaseHTTPRequestHandler):
    """Answers every request with a redirect to itself, and records the paths."""

    requested_paths: list[str] = []

    def do_POST(self) -> None:
        self.requested_paths.append(self.path)
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def redirecting_server() -> Iterator[str]:
    RedirectHandler.requested_paths = []
    server = HTTPServer(("127.0.0.1", 0), RedirectHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


async def test_redirect_is_not_followed(redirecting_server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    for call in (sendgrid(redirecting_server).send(EMAIL), twilio(redirecting_server).send(SMS)):
        with pytest.raises(OutcomeUnknown):  # the message may have been sent, whatever is at the other address
            await call
    assert "/elsewhere" not in RedirectHandler.requested_paths


def test_email_conforms_to_the_vendors_openapi_document() -> None:
    document = CONTRACTS / "sendgrid-mail-v3.json"
    if not document.exists():
        pytest.skip("the vendor's OpenAPI document is missing; HOLDFAST_CONTRACTS names its folder")
    body = mail_body(SendGridConfig(base_url="x", api_key="x", sender="desk@practice.example"), EMAIL)
    headers = {"Authorization": "Bearer SG.sandbox"}
    request = MockRequest(
        "https://api.sendgrid.com",
        "post",
        "/v3/mail/send",
        headers=headers,
        data=json.dumps(body).encode(),
        content_type="application/json",
    )
    OpenAPI.from_dict(json.loads(document.read_text())).validate_request(request)
    invalid_request = MockRequest(
        "https://api.sendgrid.com", "post", "/v3/mail/send", headers=headers,
        data=json.dumps({**body, "custom_args": {"a": "b"}}).encode(), content_type="application/json",
    )  # fmt: skip
    with pytest.raises(Exception, match=r"(?i)invalid|body"):
        OpenAPI.from_dict(json.loads(document.read_text())).validate_request(invalid_request)


async def test_check_of_twilio_asks_only_what_a_standard_api_key_may_read(sandbox: SandboxControl) -> None:
    assert await twilio(sandbox.url).check() == []
    with pytest.raises(Misconfigured):
        await twilio(sandbox.url, api_key_secret="another-secret").check()
