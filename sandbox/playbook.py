"""The playbook API: what a trigger or an action asks of the platform, and what it tells it."""

from __future__ import annotations

import threading
from typing import Any

import orjson

from sandbox.wire import Request, Response, json_response


class Playbook:
    """GET /secrets, POST /logs, POST and PATCH /callback, for the bearer of `token`. Thread-safe."""

    name = "playbook"

    def __init__(self, token: str, node_secrets: dict[str, str] | None = None) -> None:
        self.token = token
        self.module_secrets: dict[str, str] = {}
        """Given as `value`, and to an action that says that it runs."""
        self.node_secrets = dict(node_secrets or {})
        """Given as `node_value`; the SDK lays them over the trigger's configuration."""
        self._logs: list[dict[str, Any]] = []
        self._callbacks: list[dict[str, Any]] = []
        self._lock = threading.Lock()

    @property
    def logs(self) -> list[dict[str, Any]]:
        """Every log line received, in order, as the SDK sent it."""
        with self._lock:
            return list(self._logs)

    @property
    def callbacks(self) -> list[dict[str, Any]]:
        """Every body sent to /callback, in order."""
        with self._lock:
            return list(self._callbacks)

    def messages(self, *levels: str) -> list[str]:
        """Texts of the log lines of these levels; of all when none is named."""
        return [str(line.get("message")) for line in self.logs if _is(line, levels)]

    def handle(self, request: Request) -> Response:
        """Serve the three endpoints: 401 without the token, 404 elsewhere."""
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return json_response(401, {"message": "invalid token"})
        route = (request.method, request.path)
        if route == ("GET", "/secrets"):
            return json_response(
                200, {"value": self.module_secrets, "node_value": self.node_secrets}
            )
        if route not in (("POST", "/logs"), ("POST", "/callback"), ("PATCH", "/callback")):
            return json_response(404, {"message": "not found"})
        try:
            body = orjson.loads(request.body)
        except orjson.JSONDecodeError:
            return json_response(400, {"message": "not JSON"})
        if not isinstance(body, dict):
            return json_response(400, {"message": "not an object"})
        with self._lock:
            if request.path == "/logs":
                self._logs.extend(body.get("logs", []))
            else:
                self._callbacks.append(body)
        return json_response(200, {"module_configuration": {"value": self.module_secrets}})


def _is(line: dict[str, Any], levels: tuple[str, ...]) -> bool:
    return not levels or str(line.get("level", "")).lower() in levels
