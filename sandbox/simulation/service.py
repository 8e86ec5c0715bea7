"""What the simulation has to know of a message trace service, whichever of the two it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import timedelta
from functools import cached_property
from typing import ClassVar
from urllib.parse import unquote

from office365_message_trace.clock import Clock
from office365_message_trace.microsoft.odata import ODataClient
from office365_message_trace.model import Log
from office365_message_trace.transport.client import Request
from office365_message_trace.transport.retry import Transport
from office365_message_trace.transport.session import Answer
from sandbox import wire

TOKEN = "$skiptoken"
_MANY_RECIPIENTS = 1000  # documented for Get-MessageTraceV2


class Service(ABC):
    """The sandbox's own service, asked without a network. No restart of the collector touches it."""

    name: ClassVar[str]
    resource: ClassVar[str]
    """What tokens are for."""
    base_url: ClassVar[str]
    history: ClassVar[timedelta]
    """How long the collector is told that rows are kept."""

    def __init__(self, latency: float) -> None:
        self.latency = latency
        """The longest that an ordinary request takes, seconds."""

    @abstractmethod
    def client(self, transport: Transport, clock: Clock, log: Log) -> ODataClient:
        """The collector's own client, set up for this service."""

    @abstractmethod
    def answer(self, request: Request, authorization: str) -> Answer:
        """The service's own answer."""

    @abstractmethod
    def truncated(self, request: Request, authorization: str) -> Answer:
        """The first page of what was asked for, without a link to more of it."""

    @abstractmethod
    def refusal(self, kind: str) -> Answer:
        """What an application is told in a spell of that kind, `forbidden` or `unauthorized`."""

    @abstractmethod
    def refused_link(self) -> Answer:
        """What is said of a token that is not taken."""

    @abstractmethod
    def leading_elsewhere(self, body: bytes) -> bytes:
        """The same page, with a next link to another host."""


class Parsed(wire.Request):
    """The same request, taken apart only once."""

    @cached_property
    def path(self) -> str:
        """Without the query."""
        return self.target.partition("?")[0]

    @cached_property
    def query(self) -> dict[str, str]:
        """The query options, decoded."""
        words = (word.partition("=") for word in self.target.partition("?")[2].split("&"))
        return {name: unquote(text) for name, _, text in words}


def scaled(client: ODataClient, page_size: int, recipients_shown: int | None) -> None:
    """Make the collector's own client expect pages of that size, and listings with so many recipients.

    In the real services these are constants. `recipients_shown` None: listings show all.
    """
    constants = {"page_size": page_size, "many_recipients": recipients_shown or _MANY_RECIPIENTS}
    for name, value in constants.items():
        setattr(client, name, value)


def parsed(request: Request, target: str, authorization: str) -> Parsed:
    """The request for `target` as it reaches a service."""
    headers = {name.lower(): value for name, value in request.headers.items()}
    headers["authorization"] = authorization
    return Parsed(request.method, target, headers)


def as_answer(response: wire.Response) -> Answer:
    """The response as it reaches a client."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status, headers, response.body)
