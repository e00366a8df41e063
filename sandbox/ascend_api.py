"""The calls that Ascend answers."""

import json
from functools import partial
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.service import Sandbox

API = "/ascend-gateway/api"


def routes(box: Sandbox) -> list[Route]:
    rows = partial(_rows, box)
    return [
        Route("/oauth/client_credential/accesstoken", partial(_token, box), methods=["POST"]),
        Route("/orgmapper/LinkedOrgs", partial(_linked, box), methods=["GET"]),
        Route(API + "/v0/organizations", partial(_organizations, box), methods=["GET"]),
        Route(API + "/v1/{collection}", rows, methods=["GET", "POST"]),
        Route(API + "/v1/{collection}/{row_id}", rows, methods=["GET", "PUT", "DELETE"]),
    ]


async def _token(box: Sandbox, request: Request) -> Response:
    form = dict(parse_qsl((await request.body()).decode()))
    grant = request.query_params.get("grant_type", form.get("grant_type", ""))
    given = form.get("client_id", ""), form.get("client_secret", ""), grant
    return await box.serve("ascend", request, "/oauth/token", lambda: JSONResponse(box.ascend.token(*given)))


async def _linked(box: Sandbox, request: Request) -> Response:
    def work() -> Response:
        box.ascend.authorize(request.headers.get("authorization", ""), box.ascend.organization)
        return JSONResponse({"organizations": [box.ascend.organization]})

    return await box.serve("ascend", request, "/orgmapper/LinkedOrgs", work)


async def _organizations(box: Sandbox, request: Request) -> Response:
    def work() -> Response:
        _authorize(box, request)
        row = box.store.all("organization")[0]
        return JSONResponse({"statusCode": 200, "data": [{**row, "id": row["key"]}]})

    return await box.serve("ascend", request, "/v0/organizations", work)


async def _rows(box: Sandbox, request: Request) -> Response:
    body = await request.body()

    def work() -> Response:
        _authorize(box, request)
        return _answer(box, request, body)

    return await box.serve("ascend", request, request.url.path.removeprefix(API), work)


def _authorize(box: Sandbox, request: Request) -> None:
    box.ascend.authorize(request.headers.get("authorization", ""), request.headers.get("organization-id"))


def _answer(box: Sandbox, request: Request, body: bytes) -> Response:
    collection, row_id = request.path_params["collection"], request.path_params.get("row_id", "")
    asked = dict(request.query_params)
    match request.method:
        case "GET" if not row_id:
            return JSONResponse(box.ascend.listing(collection, asked, box.faults.staleness()))
        case "GET":
            return JSONResponse(box.ascend.item(collection, row_id, asked))
        case "POST":
            status, created = box.ascend.create(collection, json.loads(body))
            return JSONResponse(created, status_code=status)
        case "DELETE":
            box.ascend.delete(collection, row_id)
            return _deleted(box, row_id)
        case _:
            return JSONResponse(box.ascend.update(collection, row_id, json.loads(body)))


def _deleted(box: Sandbox, row_id: str) -> Response:
    empty = {"empty_204": 204, "empty_200": 200}.get(box.ascend.switches.delete)
    return Response(status_code=empty) if empty else JSONResponse({"statusCode": 200, "data": {"id": row_id}})
