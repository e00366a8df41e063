"""The endpoint that decodes for Temporal's UI."""

import httpx
from google.protobuf.json_format import MessageToDict, ParseDict
from temporalio.api.common.v1 import Payload, Payloads

from runtime.codec import EncryptionCodec, Keyring
from runtime.ops import ops_app

CODEC = EncryptionCodec(Keyring({"k": b"k" * 32}), "default")
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'"canary"')
ORIGIN = "http://127.0.0.1:8233"


def http(token: str = "", ready: bool = True) -> httpx.AsyncClient:
    app = ops_app(CODEC, lambda: ready, origin=ORIGIN, token=token)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://worker")


async def sealed() -> dict[str, object]:
    return dict(MessageToDict(Payloads(payloads=await CODEC.encode([PLAIN]))))


async def test_what_was_encrypted_is_decoded_for_the_pinned_origin_only() -> None:
    async with http() as client:
        answer = await client.post("/codec/decode", json=await sealed(), headers={"Origin": ORIGIN})
        assert list(ParseDict(answer.json(), Payloads()).payloads) == [PLAIN]
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        assert answer.headers["cache-control"] == "no-store"
        other = await client.post("/codec/decode", json=await sealed(), headers={"Origin": "http://evil.example"})
        assert "access-control-allow-origin" not in other.headers


async def test_without_the_token_nothing_is_decoded() -> None:
    async with http(token="t" * 32) as client:
        assert (await client.post("/codec/decode", json=await sealed())).status_code == 401
        allowed = {"Authorization": "Bearer " + "t" * 32}
        assert (await client.post("/codec/decode", json=await sealed(), headers=allowed)).status_code == 200


async def test_what_cannot_be_read_is_refused_without_a_crash() -> None:
    async with http() as client:
        foreign = await EncryptionCodec(Keyring({"k": b"x" * 32}), "default").encode([PLAIN])
        answer = await client.post("/codec/decode", json=MessageToDict(Payloads(payloads=foreign)))
        assert (answer.status_code, answer.json()) == (400, {"error": "DecryptionError"})
        assert (await client.post("/codec/decode", content=b"no json")).status_code == 400


async def test_readiness_follows_the_workers() -> None:
    async with http(ready=False) as client:
        assert (await client.get("/ready")).status_code == 503
        assert (await client.get("/live")).status_code == 200
