"""Email and SMS over real HTTP: what goes out, and what each failure means."""

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
from adapters.messaging.sendgrid import SendGridConfig, SendGridMessenger, _mail
from adapters.messaging.twilio import TwilioConfig, TwilioMessenger
from adapters.messenger import OutgoingMessage
from demo.stack import free_port
from tests.support.sandbox import CONTRACTS, SandboxControl

LATER = datetime.now(UTC) + timedelta(days=1)
EMAIL = OutgoingMessage(
    key="k" * 32,
    to="nova@patients.example",
    subject="An update\r\nBcc: x@y.example",
    text="Hello",
    send_before=LATER,
)
SMS = OutgoingMessage(
    send_before=LATER,
    key="k" * 32,
    to="+15105550121",
    text="Hello",
    deliver_before=datetime.now(UTC) + timedelta(days=3),
)


def sendgrid(url: str, **changes: Any) -> SendGridMessenger:
    given = {"api_key": "SG.sandbox", "sender": "desk@practice.example", "timeout": 30.0, **changes}
    return SendGridMessenger(SendGridConfig(base_url=url, **given))


def twilio(url: str, **changes: Any) -> TwilioMessenger:
    given = {
        "account_sid": "AC" + "1".rjust(32, "0"),
        "api_key_sid": "SK" + "1".rjust(32, "0"),
        "api_key_secret": "sandbox-twilio",
        "messaging_service_sid": "MG" + "1".rjust(32, "0"),
        "read_timeout": 30.0,
        **changes,
    }
    return TwilioMessenger(TwilioConfig(base_url=url, **given))


async def test_an_email_goes_to_one_person_with_tracking_off_and_an_opaque_key(sandbox: SandboxControl) -> None:
    assert await sendgrid(sandbox.url).send(EMAIL)
    (sent,) = sandbox.state()["emails"]
    assert sent["to"] == EMAIL.to
    assert sent["custom_args"] == {"msg_key": EMAIL.key}
    assert "\n" not in sent["subject"]
    assert await sendgrid(sandbox.url).check() == []


async def test_a_text_is_found_again_after_doubt(sandbox: SandboxControl) -> None:
    messenger, before = twilio(sandbox.url), datetime.now(UTC)
    assert await messenger.find_sent(SMS, before) == ()
    sid = await messenger.send(SMS)
    assert await messenger.find_sent(SMS, before) == (sid,)
    assert await messenger.find_sent(SMS, before + timedelta(hours=1)) == ()
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


@pytest.mark.parametrize(("fault", "meaning"), FAULTS)
async def test_every_failure_of_email_is_told_apart(
    sandbox: SandboxControl, fault: dict[str, Any], meaning: type[OutsideError]
) -> None:
    sandbox.fault(system="sendgrid", path="/v3/mail/send", **fault)
    patience = {"timeout": 2.0} if fault["kind"] == "hang_after" else {}
    with pytest.raises(OutsideError) as failure:
        await sendgrid(sandbox.url, **patience).send(EMAIL)
    assert type(failure.value) is meaning
    assert EMAIL.to not in str(failure.value)


@pytest.mark.parametrize(("fault", "meaning"), FAULTS)
async def test_every_failure_of_sms_is_told_apart(
    sandbox: SandboxControl, fault: dict[str, Any], meaning: type[OutsideError]
) -> None:
    sandbox.fault(system="twilio", path="/Messages.json", **fault)
    patience = {"read_timeout": 2.0} if fault["kind"] == "hang_after" else {}
    with pytest.raises(OutsideError) as failure:
        await twilio(sandbox.url, **patience).send(SMS)
    assert type(failure.value) is meaning
    assert SMS.to not in str(failure.value)


@pytest.mark.parametrize(
    ("number", "code"), [("+15005550001", "21211"), ("+15005550009", "21614"), ("+15005550004", "21610")]
)
async def test_a_number_that_cannot_be_reached_is_named_by_its_code(
    sandbox: SandboxControl, number: str, code: str
) -> None:
    with pytest.raises(Undeliverable) as failure:
        await twilio(sandbox.url).send(SMS.model_copy(update={"to": number}))
    assert failure.value.code == code


async def test_a_number_that_is_not_to_be_disturbed_now_is_tried_later(sandbox: SandboxControl) -> None:
    with pytest.raises(RateLimited):
        await twilio(sandbox.url).send(SMS.model_copy(update={"to": "+15005550005"}))


async def test_emails_that_hang_leave_room_for_everything_else(sandbox: SandboxControl) -> None:
    """Names are looked up, and other work is done, on the threads that the event loop lends to all."""
    sandbox.fault(system="sendgrid", path="/v3/mail/send", kind="hang_before", seconds=30, times=None)
    messenger = sendgrid(sandbox.url)
    emails = [asyncio.create_task(messenger.send(EMAIL)) for _ in range(40)]
    await asyncio.sleep(0.2)
    await asyncio.get_running_loop().getaddrinfo("localhost", 80)
    assert not any(email.done() for email in emails)
    for email in emails:
        email.cancel()
    await messenger.close()


async def test_nobody_listening_means_certainly_not_sent() -> None:
    url = f"http://127.0.0.1:{free_port(0)}"
    for call in (sendgrid(url).send(EMAIL), twilio(url).send(SMS)):
        with pytest.raises(Unavailable):
            await call


class Redirecting(BaseHTTPRequestHandler):
    """Answers every request with a redirect to itself, and remembers what came."""

    seen: list[str] = []

    def do_POST(self) -> None:
        self.seen.append(self.path)
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        return


@pytest.fixture
def redirecting() -> Iterator[str]:
    Redirecting.seen = []
    server = HTTPServer(("127.0.0.1", 0), Redirecting)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


async def test_no_redirect_is_followed_with_the_key(redirecting: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    for call in (sendgrid(redirecting).send(EMAIL), twilio(redirecting).send(SMS)):
        with pytest.raises(Refused):
            await call
    assert "/elsewhere" not in Redirecting.seen


def test_the_mail_is_what_the_vendors_own_document_allows() -> None:
    document = CONTRACTS / "sendgrid-mail-v3.json"
    if not document.exists():
        pytest.skip("the vendor's OpenAPI document is not at hand (HOLDFAST_CONTRACTS)")
    body = _mail(SendGridConfig(base_url="x", api_key="x", sender="desk@practice.example"), EMAIL)
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
    broken = MockRequest(
        "https://api.sendgrid.com", "post", "/v3/mail/send", headers=headers,
        data=json.dumps({**body, "custom_args": {"a": "b"}}).encode(), content_type="application/json",
    )  # fmt: skip
    with pytest.raises(Exception, match=r"(?i)invalid|body"):
        OpenAPI.from_dict(json.loads(document.read_text())).validate_request(broken)
