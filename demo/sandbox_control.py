"""A client of the sandbox's control interface."""

from typing import Any

import httpx

Row = dict[str, Any]


class SandboxControl:
    def __init__(self, url: str) -> None:
        self._http = httpx.Client(base_url=f"{url}/_control/", timeout=10, trust_env=False)

    def state(self) -> Row:
        return _json(self._http.get("state"))

    def call_counts(self) -> dict[str, dict[str, int]]:
        """How often each endpoint was called so far, by system."""
        return _json(self._http.get("calls"))

    def reset(self) -> None:
        """Go back to the seed data, with all counts at zero."""
        _json(self._http.post("reset", json={}))

    def act_as_desk(self, **action: Any) -> Row:
        """The front desk does something in its own program. An action with a ``key`` happens only once."""
        return _json(self._http.post("desk", json=action))

    def set_office(self, location_id: str, **changes: Any) -> None:
        """Change an office behind NexHealth, for example ``online``."""
        _json(self._http.post("office", json={"id": int(location_id), **changes}))

    def add_fault(self, **fault: Any) -> None:
        _json(self._http.post("faults", json=fault))


def _json(response: httpx.Response) -> Row:
    response.raise_for_status()
    body: Row = response.json()
    return body
