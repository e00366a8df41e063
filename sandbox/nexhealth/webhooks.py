"""NexHealth's webhooks: signed, retried for 48 hours, and subject to scripted faults."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
from datetime import timedelta
from typing import Any

import httpx

from sandbox.nexhealth.state import NexHealthState
from sandbox.store import Row
from sandbox.timestamps import format_timestamp, parse_timestamp

RETRY_DELAYS = (30, 90, 210, 600, 1_800, 7_200, 18_000, 36_000, 86_400, 172_800)
"""Seconds after the first attempt. When the last retry fails, the endpoint is deactivated."""

_RESPONSE_TIMEOUT_SECONDS = 5
_SPARSE_FIELDS = ("id", "foreign_id", "cancelled")


class Webhooks:
    def __init__(self, state: NexHealthState) -> None:
        self._state = state
        # Two runs at once would both find a delivery due and send it twice.
        self._delivery_lock = asyncio.Lock()

    def emit(self, event: str, resource: str, data: Row, institution_id: int) -> None:
        """Queue the event for every active subscription to its base name, the part before the first dot."""
        base_name = event.partition(".")[0]
        for subscription in self._state.synced_copy.all("subscriptions"):
            matches = subscription["event"] == base_name and subscription["institution_id"] == institution_id
            if matches and subscription["active"]:
                self._queue(subscription["webhook_endpoint_id"], event, resource, data, institution_id)

    def _queue(self, endpoint_id: int, event: str, resource: str, data: Row, institution_id: int) -> None:
        now = self._state.clock.timestamp()
        body = json.dumps(
            {
                "resource_type": resource,
                "event_name": event,
                "event_time": now,
                "subdomain": self._state.get("institutions", institution_id)["subdomain"],
                "institution_id": institution_id,
                "data": data if self._state.switches.deliveries == "whole" else _sparse_data(data),
                "delivery_errors": [],
            }
        )
        fault = self._state.next_fault("webhook", "POST", event, body)
        kind = fault.kind if fault else ""
        delay = fault.seconds if fault and kind == "late" else 0
        row = {
            "endpoint": endpoint_id,
            "event": event,
            "body": body,
            "first": now,
            "due": format_timestamp(self._state.clock.now() + timedelta(seconds=delay)),
            "forged": kind == "forged",
            "answers": [],
        }
        for _ in range({"twice": 2, "lost": 0}.get(kind, 1)):
            self._state.synced_copy.put("outbox", {"id": self._state.synced_copy.next_id(), **row})

    async def send_due_deliveries(self) -> None:
        """Try to deliver everything in the outbox that is due now."""
        async with self._delivery_lock:
            now = self._state.clock.now()
            due = [row for row in self._state.synced_copy.all("outbox") if parse_timestamp(row["due"]) <= now]
            if due:
                async with httpx.AsyncClient(timeout=_RESPONSE_TIMEOUT_SECONDS, trust_env=False) as http:
                    await asyncio.gather(*(self._attempt(http, row) for row in due))

    async def _attempt(self, http: httpx.AsyncClient, row: Row) -> None:
        endpoint = self._state.synced_copy.get("endpoints", str(row["endpoint"]))
        if endpoint is None or not endpoint["active"]:
            self._close(row, "no endpoint")
            return
        key = secrets.token_hex(16) if row["forged"] else endpoint["secret_key"]
        timestamp, raw = self._state.clock.timestamp(), row["body"].encode()
        headers = {
            "timestamp": timestamp,
            "signature": signature(key, timestamp, raw, in_lines=self._state.switches.signature_in_lines),
            "content-type": "application/json",
        }
        try:
            answer: Any = (await http.post(endpoint["target_url"], content=raw, headers=headers)).status_code
        except httpx.HTTPError as error:
            answer = type(error).__name__
        self._finish_attempt({**row, "answers": [*row["answers"], answer]}, endpoint)

    def _finish_attempt(self, row: Row, endpoint: Row) -> None:
        """Close the delivery, or schedule its next retry."""
        answer, attempts = row["answers"][-1], len(row["answers"])
        if isinstance(answer, int) and 200 <= answer < 300:
            self._close(row, "delivered")
        elif attempts <= len(RETRY_DELAYS):
            due = parse_timestamp(row["first"]) + timedelta(seconds=RETRY_DELAYS[attempts - 1])
            self._state.synced_copy.put("outbox", {**row, "due": format_timestamp(due)})
        else:
            self._close(row, "failed")
            self._state.update("endpoints", endpoint, active=False)

    def _close(self, row: Row, outcome: str) -> None:
        self._state.synced_copy.delete("outbox", str(row["id"]))
        self._state.synced_copy.put("deliveries", {**row, "state": outcome})


def _sparse_data(data: Row) -> Row:
    """The data with only those fields of an appointment that the vendor's sample has."""
    sparse = dict(data)
    if "appointment" in data:
        sparse["appointment"] = {name: data["appointment"][name] for name in _SPARSE_FIELDS}
    if "appointments" in data:
        sparse["appointments"] = [{name: row[name] for name in _SPARSE_FIELDS} for row in data["appointments"]]
    return sparse


def signature(key: str, timestamp: str, raw: bytes, *, in_lines: bool) -> str:
    """The HMAC over the timestamp and the base64 body. ``in_lines``: with line breaks, as Ruby's default writes it.

    NexHealth's documents do not say which of the two it signs.
    """
    encoded = base64.b64encode(raw)
    if in_lines:
        encoded = b"".join(encoded[at : at + 60] + b"\n" for at in range(0, len(encoded), 60))
    return hmac.new(key.encode(), timestamp.encode() + b"." + encoded, hashlib.sha256).hexdigest()
