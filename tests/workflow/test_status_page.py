"""The status page as a patient reaches it: from the link in a message, over HTTP, to the booking's workflow."""

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import httpx
import pytest
from temporalio.client import Client

from client import DeskClient
from devstack import DevStack
from domain.booking import BookingView, Status
from domain.signed_link import LinkPurpose, sign_link
from runtime.keys import link_keyring
from settings import load_settings
from tests.support.bookings import (
    NOVA,
    at,
    build_request,
    cancel_and_wait,
    next_free_day,
    submit_and_wait,
)
from tests.support.polling import wait_until
from tests.support.sandbox import SandboxControl
from tests.support.workflow_history import wait_until_idle
from workflows.booking.contracts import workflow_id

PROTECTIVE_HEADERS = {
    "cache-control": "no-store",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
    "x-content-type-options": "nosniff",
}


async def link_in_email(control: SandboxControl, address: str) -> str:
    """The link in the newest email to this address."""
    mails = [mail for mail in control.state()["emails"] if mail["to"] == address]
    return str(re.findall(r"https?://\S+/manage/\S+", mails[-1]["text"])[-1])


async def confirmed_with_link(
    bookings: DeskClient, control: SandboxControl, language: str = "en"
) -> tuple[BookingView, str]:
    view = await submit_and_wait(bookings, build_request(at(next_free_day(), 9), NOVA, language=language))
    assert view.status is Status.CONFIRMED
    await wait_until(lambda: control.state()["emails"])
    return view, await link_in_email(control, "nova@patients.example")


def get(url: str, language: str = "en", method: str = "GET") -> httpx.Response:
    return httpx.request(method, url, headers={"accept-language": language}, trust_env=False, timeout=20)


async def test_patient_with_only_an_email_learns_when_the_visit_is(
    bookings: DeskClient, control: SandboxControl
) -> None:
    request = build_request(at(next_free_day(), 9), NOVA, consent={"email": True})
    view = await submit_and_wait(bookings, request)
    await wait_until(lambda: control.state()["emails"])
    (mail,) = control.state()["emails"]
    assert mail["subject"] == "Your visit is confirmed"
    page = get(await link_in_email(control, NOVA[3]))
    assert page.status_code == HTTPStatus.OK
    assert "Your visit is confirmed." in page.text
    assert f"{view.start:%b} {view.start.day}, 9:00 AM" in page.text
    assert not any(word in page.text for word in (*NOVA[:2], NOVA[3], "leaning", view.reference, view.request_id))


async def test_page_follows_the_booking_and_its_message_calls_a_confirmed_visit_a_visit(
    bookings: DeskClient, control: SandboxControl
) -> None:
    view, link = await confirmed_with_link(bookings, control)
    await cancel_and_wait(bookings, view)
    assert "This is cancelled." in get(link).text
    await wait_until(lambda: len(control.state()["texts"]) == 2)
    assert "your visit on" in control.state()["texts"][1]["body"]


async def test_page_is_in_the_language_of_the_message_unless_another_is_chosen(
    bookings: DeskClient, control: SandboxControl
) -> None:
    _, link = await confirmed_with_link(bookings, control, language="es")
    assert "Su cita está confirmada." in get(link, "en").text
    assert "Your visit is confirmed." in get(f"{link}?lang=en", "es").text


async def test_hundred_readings_of_a_link_change_nothing(
    bookings: DeskClient, control: SandboxControl, client: Client, stack: DevStack
) -> None:
    view, link = await confirmed_with_link(bookings, control)
    await wait_until(lambda: len(control.state()["texts"]) == 1)
    handle = client.get_workflow_handle(workflow_id(view.request_id))
    await wait_until_idle(handle)  # the booking may still be recording what it sent
    before = (await handle.describe()).history_length, control.state()["calls"], ledger_links(stack)
    assert {get(link).status_code for _ in range(100)} == {HTTPStatus.OK}
    assert ((await handle.describe()).history_length, control.state()["calls"], ledger_links(stack)) == before


def ledger_links(stack: DevStack) -> list[object]:
    with closing(sqlite3.connect(stack.state_dir / "ledger.db", timeout=10)) as connection:
        return connection.execute("SELECT * FROM links ORDER BY token_hash").fetchall()


async def test_every_link_that_shows_nothing_gets_the_same_answer(
    bookings: DeskClient, control: SandboxControl, stack: DevStack
) -> None:
    view, link = await confirmed_with_link(bookings, control)
    base, _, token = link.rpartition("/")
    secret = link_keyring(load_settings()).secrets[0]
    soon = datetime.now(UTC) + timedelta(days=1)
    links = {
        "altered": f"{base}/{'b' if token[0] == 'a' else 'a'}{token[1:]}",
        "cut off": link[:-1],
        "expired": f"{base}/{sign_link(LinkPurpose.STATUS, view.reference, soon - timedelta(days=2), secret)}",
        "never sent": f"{base}/{sign_link(LinkPurpose.STATUS, view.reference, soon, secret)}",
        "unknown": f"{base}/nonsense",
    }
    answers = {name: get(link) for name, link in links.items()}
    assert {answer.status_code for answer in answers.values()} == {HTTPStatus.NOT_FOUND}
    assert len({answer.text for answer in answers.values()}) == 1
    assert "This link does not work" in answers["altered"].text
    assert "+1 510-555-0100" in answers["altered"].text


async def test_booking_that_does_not_answer_is_said_to_be_out_of_sight_in_bounded_time(
    unserved_bookings: DeskClient, control: SandboxControl, stack: DevStack
) -> None:
    """A booking on a queue without a worker, with a link as its message would carry it."""
    from activities.status_links import StatusLinks
    from adapters.ledger import Ledger

    view = await unserved_bookings.submit(build_request(at(next_free_day(), 9), NOVA))
    settings = load_settings()
    ledger = Ledger(settings.effective_ledger_url)
    secret = link_keyring(settings).secrets[0]
    links = StatusLinks(ledger, secret, settings.public_base_url)
    link = await links.create(view.id, view.reference, "en", view.start, datetime.now(UTC))
    await ledger.close()
    assert link is not None
    started = datetime.now(UTC)
    page = get(link)
    assert datetime.now(UTC) - started < timedelta(seconds=8)
    assert (page.status_code, page.headers["retry-after"]) == (HTTPStatus.SERVICE_UNAVAILABLE, "60")
    assert "We cannot look right now" in page.text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "nonsense", 404),
        ("HEAD", "nonsense", 404),
        ("POST", "nonsense", 405),
        ("GET", "", 404),
        ("GET", "a/b", 404),
    ],
)
async def test_every_answer_has_the_protective_headers(
    stack: DevStack, control: SandboxControl, method: str, path: str, status: int
) -> None:
    answer = get(f"{stack.environment['PUBLIC_BASE_URL']}/manage/{path}", method=method)
    assert answer.status_code == status
    assert {name: answer.headers.get(name) for name in PROTECTIVE_HEADERS} == PROTECTIVE_HEADERS
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "set-cookie" not in answer.headers


async def test_token_is_in_no_log(bookings: DeskClient, control: SandboxControl, stack: DevStack) -> None:
    _, link = await confirmed_with_link(bookings, control)
    get(link)
    token = link.rpartition("/")[2]
    logs = {path.name: path.read_text() for path in stack.state_dir.glob("*.log")}
    assert "web.log" in logs
    assert not [name for name, text in logs.items() if token in text]
