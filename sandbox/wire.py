"""Requests and responses as values, so that every service is a function from one to the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

HTML = "text/html"
JSON = "application/json;charset=utf-8"


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `headers` has lower-case names; `query` keeps the last value of each name."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes = b""

    @property
    def path(self) -> str:
        """The path, as sent, without the query."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query options, decoded; an unencoded `+` is a blank, as form encoding has it."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    def form(self) -> dict[str, str]:
        """The body as a form."""
        text = self.body.decode("utf-8", errors="replace")
        return dict(parse_qsl(text, keep_blank_values=True))


@dataclass(frozen=True, slots=True)
class Response:
    """One answer; Content-Length is added when it is sent."""

    status: int
    body: bytes = b""
    content_type: str = JSON
    headers: Mapping[str, str] = field(default_factory=dict)


def json_response(status: int, value: Any, **headers: str) -> Response:
    """A JSON answer; header names are written with underscores for hyphens."""
    named = {name.replace("_", "-"): text for name, text in headers.items()}
    return Response(status, orjson.dumps(value), JSON, named)
