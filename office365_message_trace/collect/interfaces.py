"""What a collector needs of Microsoft's services and of the intake."""

from collections.abc import Iterator
from typing import Protocol

from office365_message_trace.model import Delivery, Event, Fields, Page, Pause, Row, Window


class Source(Protocol):
    """One of Microsoft's message trace services."""

    one_page: bool
    many_recipients: int

    @property
    def full_page(self) -> int:
        """Rows on a full page, as far as is known."""

    def pages(
        self,
        window: Window,
        background: bool,
        max_pages: int | None,
        single_page: bool,
        trace_id: str | None,
        attempts: int,
    ) -> Iterator[Page | Pause]:
        """The pages of ``window``; see `ODataClient.pages`."""

    def render(self, row: Row) -> str:
        """The event of ``row``."""

    def content_fields(self, row: Row) -> Fields:
        """The fields of ``row`` that are its content."""


class Pusher(Protocol):
    """The destination of events."""

    def push(self, events: list[Event]) -> Iterator[Delivery]:
        """Deliver ``events``; yields the result of each batch."""
