"""Whatever comes in through Temporal, a booking steps over it: in production mode, on a real server.

The harness's worker has one client; what comes in is sent through another one, as by somebody without our plugin.
"""

import json
import os
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowQueryFailedError, WorkflowUpdateFailedError
from temporalio.common import RawValue
from temporalio.service import RPCError
from temporalio.worker import Replayer

from domain.booking import BookingView, Reason, SetAsideCause, Status
from domain.calendar import EventKind
from domain.rules import Confirmation
from domain.wording import set_aside_sentence
from runtime.codec import DecryptionError, EncryptionCodec, MarkingCodec
from runtime.converter import data_converter
from runtime.keys import Keyring, payload_keyring
from runtime.plugin import holdfast_plugin
from settings import load_settings
from tests.support.workflow_handles import APPROVE, BookingHandle, cancel, wait_for_exception, wait_for_view
from tests.support.workflow_harness import WorkflowHarness, running_harness
from tests.support.workflow_history import workflow_task_failures
from workflows.booking.contracts import (
    AppointmentEvent,
    RequestedTime,
    Resolution,
    ResolutionKind,
    SignalName,
    WaitOptions,
    request_id_of,
)
from workflows.booking.workflow import BookingWorkflow

STRANGE_KEY = Keyring({"strange": b"s" * 32})


class SendAsIs(MarkingCodec):
    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return list(payloads)


async def connect_as(client: Client, **options: Any) -> Client:
    plugin = holdfast_plugin(payload_keyring(load_settings()), client.namespace, **options)
    return await Client.connect(client.service_client.config.target_host, plugins=[plugin])


@pytest.fixture
async def stranger(client: Client) -> Client:
    """A client that sends payloads as they are, and reads the answers with our keys."""
    codec = SendAsIs(payload_keyring(load_settings()), client.namespace)
    return await Client.connect(client.service_client.config.target_host, data_converter=data_converter(codec))


@pytest.fixture
async def production(client: Client) -> AsyncIterator[WorkflowHarness]:
    async with running_production_harness(client) as harness:
        yield harness


@asynccontextmanager
async def running_production_harness(client: Client, *, plain: bool = False) -> AsyncIterator[WorkflowHarness]:
    options = {"require_encrypted": True, "accept_plain_decisions": plain}
    async with running_harness(await connect_as(client, **options)) as harness:
        yield harness


async def start_held(harness: WorkflowHarness) -> BookingHandle:
    handle = await harness.start_booking(confirmation=Confirmation.STAFF)
    await wait_for_exception(handle, Reason.APPROVAL)
    return handle


async def seal(value: Any, keyring: Keyring | None = None, namespace: str = "default") -> Payload:
    """A value as one of our clients encrypts it."""
    data = value if isinstance(value, bytes) else value.model_dump_json().encode()
    codec = EncryptionCodec(keyring or payload_keyring(load_settings()), namespace)
    return (await codec.encode([Payload(metadata={"encoding": b"json/plain"}, data=data)]))[0]


def plain(content: Any, encoding: bytes = b"json/plain") -> Payload:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Payload(metadata={"encoding": encoding}, data=data)


def altered(payload: Payload) -> Payload:
    data = bytearray(payload.data)
    data[-1] ^= 1
    return Payload(metadata=dict(payload.metadata), data=bytes(data))


async def seal_and_alter(value: Any) -> Payload:
    return altered(await seal(value))


def bound(handle: BookingHandle, view: BookingView, **fields: Any) -> Resolution:
    """An approval that names the booking and the exception that is open."""
    return APPROVE.model_copy(
        update={
            "request_id": request_id_of(handle.id),
            "exception_number": view.exception_number,
            "by": "ana",
            **fields,
        }
    )


async def update(stranger: Client, handle: BookingHandle, name: str, *payloads: Payload) -> Any:
    sent = stranger.get_workflow_handle(handle.id)
    return await sent.execute_update(name, args=[RawValue(payload) for payload in payloads])


async def query(stranger: Client, handle: BookingHandle, name: str, *payloads: Payload) -> Any:
    sent = stranger.get_workflow_handle(handle.id)
    return await sent.query(name, args=[RawValue(payload) for payload in payloads])


def causes_of(error: BaseException | None) -> str:
    texts = []
    while error is not None:
        texts.append(str(error))
        error = getattr(error, "cause", None) or error.__cause__
    return " <- ".join(texts)


async def send(stranger: Client, handle: BookingHandle, name: str, *payloads: Payload) -> None:
    await stranger.get_workflow_handle(handle.id).signal(name, args=[RawValue(payload) for payload in payloads])


async def wait_for_set_aside(handle: BookingHandle, number: int) -> BookingView:
    """Wait until the booking has set aside so many signals."""
    return await wait_for_view(handle, lambda view: view.set_aside == number)


async def assert_still_answers(harness: WorkflowHarness, handle: BookingHandle) -> None:
    """Its view, an update that is refused, and a cancellation."""
    view = await handle.query(BookingWorkflow.view)
    with pytest.raises(WorkflowUpdateFailedError):
        await handle.execute_update(BookingWorkflow.resolve_exception, bound(handle, view, exception_number=99))
    assert (await cancel(handle)).status is Status.CANCELLED
    await handle.result()
    assert await workflow_task_failures(handle) == []


UNREADABLE: dict[str, tuple[Callable[[BookingHandle, BookingView], Any], SetAsideCause]] = {
    "altered": (lambda h, v: seal_and_alter(bound(h, v)), SetAsideCause.UNREADABLE),
    "unknown key id": (lambda h, v: seal(bound(h, v), STRANGE_KEY), SetAsideCause.UNREADABLE),
    "of another namespace": (lambda h, v: seal(bound(h, v), namespace="other"), SetAsideCause.UNREADABLE),
    "in clear": (lambda h, v: plain({"kind": "approve", "by": "ana"}), SetAsideCause.NOT_ENCRYPTED),
    "sealed, broken JSON": (lambda h, v: seal(b"{"), SetAsideCause.WRONG_SHAPE),
    "sealed, wrong shape": (lambda h, v: seal(b'{"kind": "dance"}'), SetAsideCause.WRONG_SHAPE),
    "sealed, deep": (lambda h, v: seal(b'{"kind":' + b"[" * 4000 + b"]" * 4000 + b"}"), SetAsideCause.WRONG_SHAPE),
    "sealed, huge": (lambda h, v: seal(b'"' + b"x" * 1_000_000 + b'"'), SetAsideCause.TOO_LARGE),
    "zlib": (lambda h, v: plain(b"x\x9c", b"binary/zlib"), SetAsideCause.NOT_ENCRYPTED),
    "empty ciphertext": (
        lambda h, v: Payload(metadata={"encoding": b"binary/encrypted", "encryption-key-id": b"\xff"}),
        SetAsideCause.UNREADABLE,
    ),
    "stored elsewhere": (
        lambda h, v: plain(b'{"driver_name": "x"}', b"json/external-storage-reference"),
        SetAsideCause.NOT_ENCRYPTED,
    ),
    "stored elsewhere by a reference": (
        lambda h, v: Payload(
            metadata={
                "encoding": b"json/protobuf",
                "messageType": b"temporal.api.sdk.v1.ExternalStorageReference",
                "temporal.external-storage-reference": b"true",
            },
            data=b"{}",
        ),
        SetAsideCause.NOT_ENCRYPTED,
    ),
    "our own mark, forged": (lambda h, v: plain(b"", b"holdfast/unreadable"), SetAsideCause.NOT_ENCRYPTED),
}


async def made(make: Callable[[BookingHandle, BookingView], Any], handle: BookingHandle, view: BookingView) -> Payload:
    payload = make(handle, view)
    return payload if isinstance(payload, Payload) else await payload


async def test_signal_that_cannot_be_read_is_set_aside(production: WorkflowHarness, stranger: Client) -> None:
    handle = await start_held(production)
    view = await handle.query(BookingWorkflow.view)
    for number, (case, (make, cause)) in enumerate(UNREADABLE.items(), start=1):
        await send(stranger, handle, SignalName.RESOLVE, await made(make, handle, view))
        view = await wait_for_set_aside(handle, number)
        assert (view.status, view.set_aside_detail) == (Status.HELD, set_aside_sentence(cause)), case
    await production.wait_for_desk_messages("desk_exception", "desk_set_aside")
    await assert_still_answers(production, handle)


async def test_signal_that_does_not_bind_is_set_aside(production: WorkflowHarness, stranger: Client) -> None:
    handle = await start_held(production)
    sealed = [await seal(b"{}")] * 50
    signals = [(name, count) for name in (*SignalName, "nobody-knows-this", "\x1b[31mred") for count in (0, 1, 2, 50)]
    signals.remove((SignalName.OFFICE_CAME_ONLINE, 0))  # this one binds
    for number, (name, count) in enumerate(signals, start=1):
        await send(stranger, handle, name, *sealed[:count])
        await wait_for_set_aside(handle, number)
    await assert_still_answers(production, handle)


async def test_desk_is_told_of_the_first_set_aside_signal_only(production: WorkflowHarness, stranger: Client) -> None:
    handle = await start_held(production)
    for _ in range(3):
        await send(stranger, handle, SignalName.RESOLVE)
    await wait_for_set_aside(handle, 3)
    await production.wait_for_desk_messages("desk_exception", "desk_set_aside")


async def test_sealed_decision_that_names_booking_and_exception_is_carried_out(
    production: WorkflowHarness, stranger: Client
) -> None:
    handle = await start_held(production)
    resolution = bound(handle, await handle.query(BookingWorkflow.view))
    await send(stranger, handle, SignalName.RESOLVE, await seal(resolution))
    view = await wait_for_view(handle, lambda view: view.status is Status.CONFIRMED)
    assert view.last_resolution is not None
    assert (view.last_resolution.kind, view.last_resolution.by, view.last_resolution.is_plain) == (
        "approve",
        "ana",
        False,
    )
    assert view.set_aside == 0


@pytest.mark.parametrize("way", ["signal", "update"])
async def test_sealed_approval_replayed_on_another_booking_does_not_confirm_it(
    production: WorkflowHarness, stranger: Client, way: str
) -> None:
    first, second = await start_held(production), await start_held(production)
    sealed = await seal(bound(first, await first.query(BookingWorkflow.view)))
    if way == "signal":
        await send(stranger, second, SignalName.RESOLVE, sealed)
        view = await wait_for_set_aside(second, 1)
        assert view.set_aside_detail == set_aside_sentence(SetAsideCause.OTHER_BOOKING)
    else:
        with pytest.raises(WorkflowUpdateFailedError):
            await stranger.get_workflow_handle(second.id).execute_update("resolve_exception", RawValue(sealed))
    assert (await second.query(BookingWorkflow.view)).status is Status.HELD
    await assert_still_answers(production, second)


async def test_sealed_request_copied_to_another_workflow_books_nothing(
    production: WorkflowHarness, stranger: Client
) -> None:
    handle = await start_held(production)
    history = await handle.fetch_history()
    sealed = history.events[0].workflow_execution_started_event_attributes.input.payloads[0]
    written = len(production.calls_to("write_hold"))
    copy = await stranger.start_workflow(
        "BookingWorkflow", RawValue(sealed), id=f"booking-{os.urandom(8).hex()}", task_queue=production.name
    )
    with pytest.raises(Exception, match="Workflow execution failed"):
        await copy.result()
    assert len(production.calls_to("write_hold")) == written


@pytest.mark.parametrize("way", ["signal", "update"])
@pytest.mark.parametrize("missing", ["request_id", "exception_number"])
async def test_sealed_decision_that_does_not_say_what_it_decides_is_refused_in_production(
    production: WorkflowHarness, way: str, missing: str
) -> None:
    handle = await start_held(production)
    unbound = bound(handle, await handle.query(BookingWorkflow.view)).model_copy(
        update={missing: Resolution.model_fields[missing].default}
    )
    if way == "signal":
        await handle.signal(SignalName.RESOLVE, unbound)
        view = await wait_for_set_aside(handle, 1)
        assert view.set_aside_detail == set_aside_sentence(SetAsideCause.NOT_BOUND)
    else:
        with pytest.raises(WorkflowUpdateFailedError) as refused:
            await handle.execute_update(BookingWorkflow.resolve_exception, unbound)
        assert "must name the booking" in str(refused.value.cause)
    assert (await handle.query(BookingWorkflow.view)).status is Status.HELD


async def test_plain_decision_works_where_it_is_accepted_and_says_who_sent_it(client: Client, stranger: Client) -> None:
    async with running_production_harness(client, plain=True) as harness:
        handle = await start_held(harness)
        await send(stranger, handle, SignalName.RESOLVE, plain({"kind": "approve", "by": "ana@office"}))
        view = await wait_for_view(handle, lambda view: view.status is Status.CONFIRMED)
        assert view.last_resolution is not None
        assert (view.last_resolution.by, view.last_resolution.is_plain) == ("ana@office", True)


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "approve"},
        {"kind": "approve", "by": "Ana from the desk"},
        {"kind": "decline", "by": "ana", "note": "Tess Sampleton owes us money"},
        {"kind": "approve", "by": "ana", "comment": "x"},
        {"kind": "patient", "by": "ana"},
        {"kind": "start", "by": "ana"},
        [],
        None,
    ],
)
async def test_plain_decision_without_a_sender_or_with_free_text_is_set_aside(
    client: Client, stranger: Client, content: Any
) -> None:
    async with running_production_harness(client, plain=True) as harness:
        handle = await start_held(harness)
        await send(stranger, handle, SignalName.RESOLVE, plain(content))
        view = await wait_for_set_aside(handle, 1)
        assert view.set_aside_detail == set_aside_sentence(SetAsideCause.WRONG_SHAPE)
        assert view.status is Status.HELD


async def test_plain_event_is_never_accepted(client: Client, stranger: Client) -> None:
    async with running_production_harness(client, plain=True) as harness:
        handle = await start_held(harness)
        event = plain({"kind": "changed", "appointment_id": "11"})
        await send(stranger, handle, SignalName.SCHEDULE_CHANGED, event)
        view = await wait_for_set_aside(handle, 1)
        assert view.set_aside_detail == set_aside_sentence(SetAsideCause.NOT_ENCRYPTED)


UPDATES_THAT_DO_NOT_BIND: list[tuple[str, Sequence[bytes], str]] = [
    ("resolve_exception", [b'{"kind": "dance"}'], "kind: enum"),
    ("resolve_exception", [], "missing 1 required positional argument"),
    ("resolve_exception", [b"{}", b"{}"], "positional argument"),
    ("resolve_exception", [b"{"], "payload: json_invalid"),
    ("wait_until_decided", [], "missing 1 required positional argument"),
    ("wait_until_decided", [b'{"timeout": "P999999999D"}'], "30 seconds at most"),
    ("wait_until_decided", [b'{"timeout": -1}'], "30 seconds at most"),
    ("nobody-knows-this", [b"{}"], "not found"),
]


@pytest.mark.parametrize(("name", "arguments", "problem"), UPDATES_THAT_DO_NOT_BIND)
async def test_update_that_does_not_bind_is_refused_and_says_why(
    production: WorkflowHarness, stranger: Client, name: str, arguments: Sequence[bytes], problem: str
) -> None:
    handle = await start_held(production)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await update(stranger, handle, name, *[await seal(each) for each in arguments])
    assert problem in causes_of(refused.value)
    await assert_still_answers(production, handle)


@pytest.mark.parametrize(
    ("keyring", "problem"), [(STRANGE_KEY, "no key with id 'strange'"), (None, "the payload is not encrypted")]
)
async def test_update_that_cannot_be_decrypted_is_refused_and_says_why(
    production: WorkflowHarness, stranger: Client, keyring: Keyring | None, problem: str
) -> None:
    handle = await start_held(production)
    resolution = bound(handle, await handle.query(BookingWorkflow.view))
    payload = await seal(resolution, keyring) if keyring else plain(resolution.model_dump(mode="json"))
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await update(stranger, handle, "resolve_exception", payload)
    assert problem in causes_of(refused.value)
    await assert_still_answers(production, handle)


async def test_time_at_the_end_of_the_calendar_is_refused(production: WorkflowHarness) -> None:
    handle = await start_held(production)
    last = datetime(9999, 12, 31, 23, 59, 59, tzinfo=timezone(timedelta(hours=-12)))
    resolution = bound(handle, await handle.query(BookingWorkflow.view), kind=ResolutionKind.START, start=last)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update(BookingWorkflow.resolve_exception, resolution)
    assert "5 years ahead" in causes_of(refused.value)
    await handle.signal(SignalName.RESOLVE, resolution)
    await wait_for_set_aside(handle, 1)
    await assert_still_answers(production, handle)


async def test_waits_leave_room_for_the_desk_and_the_patient(
    production: WorkflowHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever sends them: also a program that does not repeat the id of its update."""
    monkeypatch.setattr("workflows.booking.handlers.MAX_WAITS", 5)
    handle = await start_held(production)
    for _ in range(5):
        await handle.execute_update(BookingWorkflow.wait_for_decision)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update(BookingWorkflow.wait_for_decision)
    assert "Too many waits" in causes_of(refused.value)
    await assert_still_answers(production, handle)


async def test_signal_that_was_set_aside_stays_so_when_its_key_comes_later(
    client: Client, stranger: Client, production: WorkflowHarness
) -> None:
    handle = await start_held(production)
    resolution = bound(handle, await handle.query(BookingWorkflow.view))
    await send(stranger, handle, SignalName.RESOLVE, await seal(resolution, STRANGE_KEY))
    await wait_for_set_aside(handle, 1)
    await production.wait_for_desk_messages("desk_exception", "desk_set_aside")
    ours = payload_keyring(load_settings())
    both = Keyring({"test": ours.secrets[0], "strange": STRANGE_KEY.secrets[0]})
    await replay(handle, both)


async def test_signal_that_was_carried_out_fails_loudly_when_its_key_is_gone(
    client: Client, stranger: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """Skipping it now would make another booking of it than the one that its patient knows."""
    ours = payload_keyring(load_settings())
    both = Keyring({"test": ours.secrets[0], "strange": STRANGE_KEY.secrets[0]})
    plugin = holdfast_plugin(both, client.namespace, require_encrypted=True)
    two_keys = await Client.connect(client.service_client.config.target_host, plugins=[plugin])
    harness = WorkflowHarness(two_keys)
    async with harness.running_workers():
        handle = await start_held(harness)
        resolution = bound(handle, await handle.query(BookingWorkflow.view))
        await send(stranger, handle, SignalName.RESOLVE, await seal(resolution, STRANGE_KEY))
        await wait_for_view(handle, lambda view: view.status is Status.CONFIRMED)
        await handle.terminate()
    await replay(handle, both)
    with pytest.raises(RuntimeError):
        await replay(handle, ours)
    assert "is a key missing" in caplog.text


async def test_activity_result_that_cannot_be_read_fails_the_task_and_not_the_booking(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    """A worker without the key must not guess: the task is repeated until a worker has it."""
    async with running_production_harness(client) as harness:
        handle = await start_held(harness)
        await handle.terminate()
        history = await handle.fetch_history()
    for event in history.events:
        for payload in event.activity_task_completed_event_attributes.result.payloads:
            payload.CopyFrom((await EncryptionCodec(STRANGE_KEY, client.namespace).encode([payload]))[0])
    plugin = holdfast_plugin(payload_keyring(load_settings()), client.namespace, require_encrypted=True)
    replayer = Replayer(workflows=[BookingWorkflow], plugins=[plugin])
    with pytest.raises(RuntimeError, match="activation completion failed"):  # the task, not the workflow
        await replayer.replay_workflow(history)
    assert "no key with id 'strange'" in caplog.text


async def replay(handle: BookingHandle, keyring: Keyring) -> None:
    plugin = holdfast_plugin(keyring, "default", require_encrypted=True)
    await Replayer(workflows=[BookingWorkflow], plugins=[plugin]).replay_workflow(await handle.fetch_history())


# The fuzz. FUZZ_ROUNDS and FUZZ_SEEDS make it longer.

ROUNDS = int(os.environ.get("FUZZ_ROUNDS", "60"))
HONEST: list[Any] = [
    Resolution(kind=ResolutionKind.RETRY, by="x"),
    RequestedTime(start=datetime(2030, 1, 1, tzinfo=UTC)),
    WaitOptions(timeout=timedelta(0)),
    AppointmentEvent(kind=EventKind.CHANGED, appointment_id="11"),
]
FRAGMENTS = [b"", b"{}", b"[]", b"null", b"1e999", b'"x"', b"{", b"\xff\xfe", b"[" * 20_000, b'{"kind":"approve"}']
ENCODINGS = [b"json/plain", b"json/protobuf", b"binary/plain", b"binary/null", b"binary/zlib", b"\xff", b""]
NAMES = [*SignalName, "resolve_exception", "reschedule", "wait_for_decision", "wait_until_decided", "view"]


async def random_payload(rng: random.Random) -> Payload:
    honest = rng.choice(HONEST).model_dump_json().encode()
    data = rng.choice([honest, honest[: rng.randrange(len(honest))], rng.choice(FRAGMENTS), rng.randbytes(30)])
    payload = Payload(metadata={"encoding": rng.choice(ENCODINGS)}, data=data)
    if rng.random() < 0.3:
        payload.metadata[rng.choice(["messageType", "holdfast-plain", "temporal.external-storage-reference"])] = b"true"
    if rng.random() < 0.6:
        keyring = STRANGE_KEY if rng.random() < 0.3 else payload_keyring(load_settings())
        (payload,) = await EncryptionCodec(keyring, rng.choice(["default"] * 4 + ["x"])).encode([payload])
        if rng.random() < 0.2 and payload.data:
            payload = altered(payload)
    return payload


@pytest.mark.parametrize("seed", range(int(os.environ.get("FUZZ_SEEDS", "1"))))
@pytest.mark.parametrize("cached", [True, False])
async def test_booking_answers_after_whatever_came_in(
    client: Client, stranger: Client, seed: int, cached: bool
) -> None:
    rng = random.Random(seed)
    host = await connect_as(client, require_encrypted=True)
    async with running_harness(host, 1000 if cached else 0) as harness:
        handle = await start_held(harness)
        for _ in range(ROUNDS):
            payloads = [await random_payload(rng) for _ in range(rng.choice([0, 1, 1, 1, 1, 2, 5]))]
            send_it = rng.choice([send, send, update, query])
            with suppress(RPCError, WorkflowUpdateFailedError, WorkflowQueryFailedError, DecryptionError):
                await send_it(stranger, handle, rng.choice(NAMES), *payloads)
        await assert_still_answers(harness, handle)
