"""Bookings as a web backend shows them to patients: submit, wait, show, reschedule, cancel."""

from datetime import UTC, datetime, timedelta

from temporalio.client import Client

from client.bookings import DeskClient
from domain.booking import BookingView
from domain.practice import Practice, UnknownName
from domain.public_booking import PublicBooking, to_public
from domain.request import BookingRequest
from workflows.booking.contracts import RequestedTime


class BookingClient:
    """Starts bookings and talks to them for patients. What it returns may be shown to whoever sent the request.

    Reasons, charts and the desk's queue are for staff only, and come from ``DeskClient``. Has no state of its own:
    share one per process.
    """

    def __init__(self, client: Client, practice: Practice, task_queue: str) -> None:
        self._desk = DeskClient(client, practice, task_queue)
        self._practice = practice

    async def submit(self, request: BookingRequest) -> PublicBooking:
        """Start the booking, or attach to the one with this request id. Returns the decision, or ``received``.

        The request is durable once the server has it. A late or lost answer changes nothing, and the same request may
        be submitted again. Raises BadRequest when the request is wrong, or when its id was used for a request with
        other content. Raises RPCError when the request did not reach the server, or that is not known.
        """
        return self._to_public(await self._desk.submit(request))

    async def wait(self, request_id: str, seconds: float) -> PublicBooking:
        """The booking once it is decided, or as it is after ``seconds``. Raises NoSuchBooking.

        Continues while the server is overloaded or unreachable. If no worker answers until the end, the answer is what
        the server knows.
        """
        return self._to_public(await self._desk.wait(request_id, seconds))

    async def show(self, request_id: str) -> PublicBooking:
        """The booking as it is; if no worker answers, what the server knows. Raises NoSuchBooking."""
        return self._to_public(await self._desk.show(request_id))

    async def ask(self, request_id: str, within: timedelta, language: str | None = None) -> PublicBooking:
        """The booking as its workflow answers now, never as the server remembers it.

        ``language`` of the message, if not the request's. Raises NoSuchBooking, and NoAnswer if no worker answers
        ``within`` this time.
        """
        return self._to_public(await self._desk.ask(request_id, within), language)

    async def reschedule(self, request_id: str, start: datetime, provider: str | None = None) -> PublicBooking:
        """The patient picks another time because the first was not available.

        ``provider``: a provider's name in the practice file. Raises UnknownName, NotPossible, NoSuchBooking, NoAnswer.
        """
        provider_id = await self._provider_id(request_id, provider) if provider is not None else None
        return self._to_public(
            await self._desk.reschedule(request_id, RequestedTime(start=start, provider=provider_id))
        )

    async def cancel(self, request_id: str) -> PublicBooking:
        """The patient cancels the request or the visit. Raises as ``reschedule`` does."""
        return self._to_public(await self._desk.cancel(request_id))

    async def _provider_id(self, request_id: str, name: str) -> str:
        """The practice system's id of a provider where the booking is."""
        return self._practice.location((await self._desk.show(request_id)).location).provider_id(name)

    def _to_public(self, view: BookingView, language: str | None = None) -> PublicBooking:
        return to_public(view, self._provider_names(view.location), datetime.now(UTC), language)

    def _provider_names(self, location: str) -> dict[str, str]:
        try:
            providers = self._practice.location(location).providers
        except UnknownName:
            return {}
        return {provider_id: name for name, provider_id in providers.items()}
