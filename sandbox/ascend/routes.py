"""The HTTP routes of Ascend's API."""

import json
from functools import partial
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sandbox.service import Sandbox

API_ROOT = "/ascend-gateway/api"


def routes(sandbox: Sandbox) -> list[Route]:
    collection = partial(_serve_collection, sandbox)
    return [
        Route("/oauth/client_credential/accesstoken", partial(_serve_token, sandbox), methods=["POST"]),
        Route("/orgmapper/LinkedOrgs", partial(_serve_linked_organizations, sandbox), methods=["GET"]),
        Route(API_ROOT + "/v0/organizations", partial(_serve_organizations, sandbox), methods=["GET"]),
        Route(API_ROOT + "/v1/{collection}", collection, methods=["GET", "POST"]),
        Route(API_ROOT + "/v1/{collection}/{row_id}", collection, methods=["GET", "PUT", "DELETE"]),
    ]


async def _serve_token(sandbox: Sandbox, request: Request) -> Response:
    form = dict(parse_qsl((await request.body()).decode()))
    grant = request.query_params.get("grant_type", form.get("grant_type", ""))
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")

    def handle() -> Response:
        return JSONResponse(sandbox.ascend.issue_token(client_id, secret, grant))

    return await sandbox.serve("ascend", request, "/oauth/token", handle)


async def _serve_linked_organizations(sandbox: Sandbox, request: Request) -> Response:
    def handle() -> Response:
        sandbox.ascend.check_token(request.headers.get("authorization", ""), sandbox.ascend.organization)
        return JSONResponse({"organizations": [sandbox.ascend.organization]})

    return await sandbox.serve("ascend", request, "/orgmapper/LinkedOrgs", handle)


async def _serve_organizations(sandbox: Sandbox, request: Request) -> Response:
    def handle() -> Response:
        _check_token(sandbox, request)
        row = sandbox.store.all("organization")[0]
        return JSONResponse({"statusCode": 200, "data": [{**row, "id": row["key"]}]})

    return await sandbox.serve("ascend", request, "/v0/organizations", handle)


async def _serve_collection(sandbox: Sandbox, request: Request) -> Response:
    body = await request.body()

    def handle() -> Response:
        _check_token(sandbox, request)
        return _handle_collection(sandbox, request, body)

    return await sandbox.serve("ascend", request, request.url.path.removeprefix(API_ROOT), handle)


def _check_token(sandbox: Sandbox, request: Request) -> None:
    sandbox.ascend.check_token(request.headers.get("authorization", ""), request.headers.get("organization-id"))


def _handle_collection(sandbox: Sandbox, request: Request, body: bytes) -> Response:
    collection, row_id = request.path_params["collection"], request.path_params.get("row_id", "")
    params = dict(request.query_params)
    match request.method:
        case "GET" if not row_id:
            return JSONResponse(sandbox.ascend.list_rows(collection, params, sandbox.faults.list_staleness()))
        case "GET":
            return JSONResponse(sandbox.ascend.read_row(collection, row_id, params))
        case "POST":
            status, created = sandbox.ascend.create(collection, json.loads(body))
            return JSONResponse(created, status_code=status)
        case "DELETE":
            sandbox.ascend.delete(collection, row_id)
            return _delete_response(sandbox, row_id)
        case _:
            return JSONResponse(sandbox.ascend.update(collection, row_id, json.loads(body)))


def _delete_response(sandbox: Sandbox, row_id: str) -> Response:
    empty_status = {"empty_204": 204, "empty_200": 200}.get(sandbox.ascend.switches.delete)
    if empty_status:
        return Response(status_code=empty_status)
    return JSONResponse({"statusCode": 200, "data": {"id": row_id}})
