"""``replay``: sends a window to the intake again."""

from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from office365_message_trace.cli.configuration import Setup
from office365_message_trace.cli.window_reader import Period, read_rows, told_window
from office365_message_trace.clock import Clock
from office365_message_trace.collect.ledger import Ledger
from office365_message_trace.errors import MessageTraceError, Refused
from office365_message_trace.formatting import count
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.model import Event, Log, Window
from office365_message_trace.sekoia.intake import BatchPusher, batches
from office365_message_trace.wiring import Wiring

MOST_ROWS = 200_000
"""Limit of one replay, which keeps its rows in memory: some 200 MB."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A window that was read and can be sent. The trigger has sent ``forwarded`` of its events."""

    window: Window
    events: list[Event]
    forwarded: int
    requests: int
    chunk_size: int
    pusher: BatchPusher

    def preview(self) -> Text:
        """A description of what would be sent."""
        size = sum(1 for _ in batches(self.events, self.chunk_size))
        waiting = len(self.events) - self.forwarded
        text = (
            f"{count(len(self.events), 'row')} received {self.window}, in {count(size, 'batch')}; "
            f"{count(self.requests, 'request')} made so far."
        )
        if self.forwarded:
            text += f" The trigger has forwarded {self.forwarded:,} of them: they arrive once more."
        if waiting:
            text += (
                f" It has not forwarded {waiting:,} of them yet: if it still reads that time, they "
                "arrive again with it, because a replay is not recorded in its ledger."
            )
        return Text(text)

    def send(self, console: Console) -> Text:
        """Send everything, with a progress bar on ``console``; returns the total.

        Raises the pusher's errors, after printing how much was sent.
        """
        accepted = refused = 0
        columns = (TextColumn("Sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        try:
            with Progress(*columns, console=console) as progress:
                task = progress.add_task("", total=len(self.events))
                for delivery in self.pusher.push(self.events):
                    accepted += len(delivery.accepted)
                    refused += len(delivery.refused)
                    progress.update(task, completed=accepted + refused)
        except (MessageTraceError, KeyboardInterrupt):
            console.print(self._sum(accepted, refused))
            raise
        return self._sum(accepted, refused)

    def _sum(self, accepted: int, refused: int) -> Text:
        rest = f", {refused:,} refused" if refused else ""
        return Text(f"{accepted:,} of {count(len(self.events), 'event')} accepted{rest}.")


def prepare(setup: Setup, data_path: Path, period: Period, machine: Clock, log: Log) -> Replay:
    """Read ``period``; raises `Refused` if it holds more than `MOST_ROWS`."""
    clock = MicrosoftClock(machine, log)
    parts = Wiring(setup.settings, setup.endpoints, data_path, clock, log, read_only=True)
    source = parts.source()
    ledger = Ledger(parts.storage)
    window = told_window(period, parts.signer, clock)
    events: list[Event] = []
    forwarded = 0
    for batch in read_rows(source, window, clock, log):
        forwarded += len(batch) - len(ledger.unseen(batch.values()))
        events += [
            Event(row.received, row.trace_id, digest, source.render(row))
            for digest, row in batch.items()
        ]
        if len(events) > MOST_ROWS:
            raise Refused(f"The window has more than {MOST_ROWS:,} rows; choose a shorter one.")
    pusher = parts.pusher(setup.intake_server)
    return Replay(
        window, events, forwarded, parts.budget.granted, setup.settings.chunk_size, pusher
    )
