"""A plain client of the sandbox's Microsoft Graph, for its tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote

import requests

from sandbox import Sandbox
from tests.sandbox.client import Client

TRACES = "/v1.0/admin/exchange/tracing/messageTraces"


class GraphClient:
    """Asks a running sandbox for message traces, signed in with one token unless told otherwise."""

    def __init__(self, world: Sandbox, client: Client) -> None:
        self.world, self.client = world, client
        self.token = self.fresh_token()

    def fresh_token(self) -> str:
        """A new token for Graph."""
        answer = self.client.ask_token(scope="https://graph.microsoft.com/.default")
        token: str = answer.json()["access_token"]
        return token

    def get(self, link: str, **headers: str) -> requests.Response:
        """GET an absolute link, or a path, just as it is written."""
        url = link if link.startswith("https:") else self.world.url("graph") + link
        sent = {"Authorization": f"Bearer {self.token}", **headers}
        return self.client.session.get(url, headers=sent, timeout=10)

    def traces(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        path: str = TRACES,
        headers: dict[str, str] | None = None,
        **options: str | int,
    ) -> requests.Response:
        """GET the list for a window; `options` are named without their dollar sign."""
        if start is not None and end is not None:
            more = f" and {options['filter']}" if "filter" in options else ""
            options["filter"] = window(start, end) + more
        query = "&".join(f"${name}={quote(str(value))}" for name, value in options.items())
        return self.get(f"{path}?{query}" if query else path, **(headers or {}))

    def pages(
        self,
        start: datetime,
        end: datetime,
        *,
        headers: dict[str, str] | None = None,
        **options: Any,
    ) -> list[list[dict[str, Any]]]:
        """Every page of a window, following the server's links."""
        body = self.traces(start, end, headers=headers, **options).json()
        pages = [body["value"]]
        while "@odata.nextLink" in body:
            body = self.get(body["@odata.nextLink"], **(headers or {})).json()
            pages.append(body["value"])
        return pages


def window(start: datetime, end: datetime) -> str:
    """The filter for a window."""
    first, last = (each.isoformat().replace("+00:00", "Z") for each in (start, end))
    return f"receivedDateTime ge {first} and receivedDateTime le {last}"


def refusal(answer: requests.Response) -> tuple[int, str, str]:
    """Status, code and message."""
    error = answer.json()["error"]
    return answer.status_code, error["code"], error["message"]
