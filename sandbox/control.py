"""The hand on the sandbox: state, scripted trouble, switches, and the front desks."""

import json
from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox import desk
from sandbox.nexhealth import control as nexhealth
from sandbox.service import Sandbox, answered
from sandbox.store import Row

Action = Callable[[Sandbox, Row], Row]


def routes(box: Sandbox) -> list[Route]:
    methods = ["GET", "POST"]
    return [
        Route("/_control/clock", partial(_clock, box), methods=methods),
        Route("/_control/faults", partial(_control, box, _end_faults), methods=["DELETE"]),
        *(Route(f"/_control/{name}", partial(_control, box, act), methods=methods) for name, act in _ACTIONS.items()),
    ]


async def _control(box: Sandbox, act: Action, request: Request) -> Response:
    given = await _given(request)
    return answered(lambda: JSONResponse(act(box, given)))


async def _clock(box: Sandbox, request: Request) -> Response:
    return JSONResponse(await nexhealth.set_clock(box.nexhealth, await _given(request)))


async def _given(request: Request) -> Row:
    given: Row = json.loads(await request.body() or b"{}")
    return given


def _calls(box: Sandbox, given: Row) -> Row:
    return {system: dict(counts) for system, counts in box.calls.items()}


def _fault(box: Sandbox, given: Row) -> Row:
    return {"id": box.faults.add(**given).id}


def _end_faults(box: Sandbox, given: Row) -> Row:
    box.faults.clear()
    return {}


def _release(box: Sandbox, given: Row) -> Row:
    box.faults.release(**given)
    return {}


def _settings(box: Sandbox, given: Row) -> Row:
    switches = vars(box.ascend.switches)
    switches.update({name: value for name, value in given.items() if name in switches})
    return switches


def _desk(box: Sandbox, given: Row) -> Row:
    if given.pop("system", "ascend") == "nexhealth":
        return nexhealth.act(box.nexhealth, given)
    return desk.act(box.ascend, given)


def _reset(box: Sandbox, given: Row) -> Row:
    box.reset(keep_subscriptions=bool(given.get("keep_subscriptions")))
    return {}


_ACTIONS: dict[str, Action] = {
    "state": lambda box, _: box.state(),
    "calls": _calls,
    "faults": _fault,
    "held": lambda box, _: {"held": box.faults.held()},
    "release": _release,
    "settings": _settings,
    "desk": _desk,
    "nexhealth": lambda box, given: nexhealth.set_switches(box.nexhealth, given),
    "office": lambda box, given: nexhealth.set_office(box.nexhealth, given),
    "reset": _reset,
}
