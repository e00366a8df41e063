"""The control interface ``/_control/…``: read the state, script faults, set switches and act as the front desk."""

import json
from collections.abc import Callable
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.ascend import desk
from sandbox.nexhealth import control as nexhealth
from sandbox.service import Sandbox, respond
from sandbox.store import Row

Action = Callable[[Sandbox, Row], Row]
"""Takes the request's JSON body and returns the answer's."""


def routes(sandbox: Sandbox) -> list[Route]:
    methods = ["GET", "POST"]
    actions = [
        Route(f"/_control/{name}", partial(_serve, sandbox, action), methods=methods)
        for name, action in _ACTIONS.items()
    ]
    return [
        Route("/_control/clock", partial(_set_clock, sandbox), methods=methods),
        # Before the actions: POST adds a fault, DELETE on the same path removes all of them.
        Route("/_control/faults", partial(_serve, sandbox, _clear_faults), methods=["DELETE"]),
        *actions,
    ]


async def _serve(sandbox: Sandbox, action: Action, request: Request) -> Response:
    body = await _json_body(request)
    return respond(lambda: JSONResponse(action(sandbox, body)))


async def _set_clock(sandbox: Sandbox, request: Request) -> Response:
    return JSONResponse(await nexhealth.set_clock(sandbox.nexhealth, await _json_body(request)))


async def _json_body(request: Request) -> Row:
    body: Row = json.loads(await request.body() or b"{}")
    return body


def _call_counts(sandbox: Sandbox, body: Row) -> Row:
    return {system: dict(counts) for system, counts in sandbox.call_counts.items()}


def _add_fault(sandbox: Sandbox, body: Row) -> Row:
    return {"id": sandbox.faults.add(**body).id}


def _clear_faults(sandbox: Sandbox, body: Row) -> Row:
    sandbox.faults.clear()
    return {}


def _release_call(sandbox: Sandbox, body: Row) -> Row:
    sandbox.faults.release(**body)
    return {}


def _set_ascend_switches(sandbox: Sandbox, body: Row) -> Row:
    switches = vars(sandbox.ascend.switches)
    switches.update({name: value for name, value in body.items() if name in switches})
    return switches


def _act_as_desk(sandbox: Sandbox, body: Row) -> Row:
    if body.pop("system", "ascend") == "nexhealth":
        return nexhealth.act_as_desk(sandbox.nexhealth, body)
    return desk.act_as_desk(sandbox.ascend, body)


def _reset(sandbox: Sandbox, body: Row) -> Row:
    sandbox.reset(keep_subscriptions=bool(body.get("keep_subscriptions")))
    return {}


_ACTIONS: dict[str, Action] = {
    "state": lambda sandbox, _: sandbox.state(),
    "calls": _call_counts,
    "faults": _add_fault,
    "held": lambda sandbox, _: {"held": sandbox.faults.held_calls()},
    "release": _release_call,
    "settings": _set_ascend_switches,
    "desk": _act_as_desk,
    "nexhealth": lambda sandbox, body: nexhealth.set_switches(sandbox.nexhealth, body),
    "office": lambda sandbox, body: nexhealth.set_office(sandbox.nexhealth, body),
    "reset": _reset,
}
