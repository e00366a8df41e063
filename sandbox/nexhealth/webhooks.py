"""Events to whoever subscribed: signed, tried again for 48 hours, and with the trouble that was scripted."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from datetime import timedelta
from typing import Any

import httpx

from sandbox.nexhealth.world import World
from sandbox.store import Row
from sandbox.times import instant, instant_text

RETRIES = (30, 90, 210, 600, 1_800, 7_200, 18_000, 36_000, 86_400, 172_800)
"""Seconds after the first attempt; after the last the endpoint is switched off."""

_SECONDS_TO_ANSWER = 5
_SPARSE = ("id", "foreign_id", "cancelled")


class Webhooks:
    def __init__(self, world: World) -> None:
        self._world = world
        self._one_at_a_time = asyncio.Lock()

    def emit(self, event: str, resource: str, data: Row, institution: int) -> None:
        """Queue the event for every live subscription to its base name."""
        for subscription in self._world.copy.all("subscriptions"):
            same = subscription["event"] == event.partition(".")[0] and subscription["institution_id"] == institution
            if same and subscription["active"]:
                self._queue(subscription["webhook_endpoint_id"], event, resource, data, institution)

    def _queue(self, endpoint: int, event: str, resource: str, data: Row, institution: int) -> None:
        now = self._world.clock.text()
        body = json.dumps(
            {
                "resource_type": resource,
                "event_name": event,
                "event_time": now,
                "subdomain": self._world.get("institutions", institution)["subdomain"],
                "institution_id": institution,
                "data": data if self._world.switches.deliveries == "whole" else _sparse(data),
                "delivery_errors": [],
            }
        )
        fault = self._world.trouble("webhook", "POST", event, body)
        kind = fault.kind if fault else ""
        late = fault.seconds if fault and kind == "late" else 0
        row = {
            "endpoint": endpoint,
            "event": event,
            "body": body,
            "first": now,
            "due": instant_text(self._world.clock.now() + timedelta(seconds=late)),
            "forged": kind == "forged",
            "answers": [],
        }
        for _ in range({"twice": 2, "lost": 0}.get(kind, 1)):
            self._world.copy.put("outbox", {"id": self._world.copy.next_id(), **row})

    async def deliver(self) -> None:
        """Try what is due now."""
        async with self._one_at_a_time:
            due = [row for row in self._world.copy.all("outbox") if instant(row["due"]) <= self._world.clock.now()]
            if due:
                async with httpx.AsyncClient(timeout=_SECONDS_TO_ANSWER, trust_env=False) as http:
                    await asyncio.gather(*(self._attempt(http, row) for row in due))

    async def _attempt(self, http: httpx.AsyncClient, row: Row) -> None:
        endpoint = self._world.copy.get("endpoints", str(row["endpoint"]))
        if endpoint is None or not endpoint["active"]:
            self._done(row, "no endpoint")
            return
        key = secrets.token_hex(16) if row["forged"] else endpoint["secret_key"]
        timestamp, raw = self._world.clock.text(), row["body"].encode()
        headers = {
            "timestamp": timestamp,
            "signature": signature(key, timestamp, raw, in_lines=self._world.switches.signature_in_lines),
            "content-type": "application/json",
        }
        try:
            answer: Any = (await http.post(endpoint["target_url"], content=raw, headers=headers)).status_code
        except httpx.HTTPError as error:
            answer = type(error).__name__
        self._settle({**row, "answers": [*row["answers"], answer]}, endpoint)

    def _settle(self, row: Row, endpoint: Row) -> None:
        answer, tries = row["answers"][-1], len(row["answers"])
        if isinstance(answer, int) and 200 <= answer < 300:
            self._done(row, "delivered")
        elif tries <= len(RETRIES):
            due = instant(row["first"]) + timedelta(seconds=RETRIES[tries - 1])
            self._world.copy.put("outbox", {**row, "due": instant_text(due)})
        else:
            self._done(row, "given up")
            self._world.change("endpoints", endpoint, active=False)

    def _done(self, row: Row, state: str) -> None:
        self._world.copy.delete("outbox", str(row["id"]))
        self._world.copy.put("deliveries", {**row, "state": state})


def _sparse(data: Row) -> Row:
    """An appointment, or several, by the fields of the vendor's sample."""
    told = dict(data)
    if "appointment" in data:
        told["appointment"] = {name: data["appointment"][name] for name in _SPARSE}
    if "appointments" in data:
        told["appointments"] = [{name: row[name] for name in _SPARSE} for row in data["appointments"]]
    return told


def signature(key: str, timestamp: str, raw: bytes, *, in_lines: bool) -> str:
    """``in_lines``: base64 as Ruby writes it by default; the vendor does not say."""
    encoded = base64.b64encode(raw)
    if in_lines:
        encoded = b"".join(encoded[at : at + 60] + b"\n" for at in range(0, len(encoded), 60))
    return hmac.new(key.encode(), timestamp.encode() + b"." + encoded, hashlib.sha256).hexdigest()
