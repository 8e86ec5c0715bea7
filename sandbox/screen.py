"""The terminal during a demo: a progress bar, and above it the lines that a process writes to its output."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text

from office365_message_trace.cli.console import STYLES

PICTURE = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font: {char_height}px/{line_height}px ui-monospace, Menlo, Consolas, monospace; }}
.{unique_id}-title {{ font: bold 18px sans-serif; }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal"><rect width="{terminal_width}" height="{terminal_height}"/></clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""The form of a picture of a terminal for rich, without fonts from elsewhere."""

_COLUMNS = 100  # of a pictured terminal

_LOGGED = re.compile(r"[\d-]+ [\d:]+ - \w+ - (?P<level>[A-Z]+) - (?P<text>.*)")


def pictured_terminal() -> Console:
    """A terminal of which a picture is to be drawn; it shows nothing meanwhile."""
    return Console(
        file=io.StringIO(),
        width=_COLUMNS,
        record=True,
        highlight=False,
        force_terminal=True,
        force_interactive=False,
        color_system="truecolor",
    )


class Screen:
    """Prints to `console`. Lines that appear in `output` are shown as they come, each with the seconds
    since the start; on a terminal each is cut to one line. Used with `with`, it shows the progress.
    """

    def __init__(self, console: Console, output: Path, total: int) -> None:
        self._console = console
        self._output = output
        self._shown = 0  # bytes of the output
        self._began = time.monotonic()
        columns = (BarColumn(), MofNCompleteColumn(), TextColumn("events,"), TimeElapsedColumn())
        self._progress = Progress(*columns, console=console)
        self._task = self._progress.add_task("", total=total)

    def __enter__(self) -> Self:
        """Show the progress."""
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Show the rest of the output, and leave the progress as it is."""
        self._follow(last=True)
        self._progress.stop()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def note(self, text: str, level: str = "info", style: str | None = None) -> None:
        """Print a line with the seconds since the start."""
        if style is None:
            style = "" if level == "info" else STYLES.get(level, "")
        line = Text.assemble((f"{self.elapsed:5.1f} s  ", "dim"), (text, style))
        self._console.print(line, no_wrap=self._console.is_terminal, overflow="ellipsis")

    def progress(self, done: int) -> None:
        """Show new output and how far things are."""
        self._follow()
        self._progress.update(self._task, completed=done)

    def _follow(self, last: bool = False) -> None:
        with self._output.open("rb") as output:
            output.seek(self._shown)
            fresh = output.read()
        whole = fresh if last else fresh[: fresh.rfind(b"\n") + 1]
        self._shown += len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            logged = _LOGGED.fullmatch(line)
            self.note(*(logged["text"], logged["level"].lower()) if logged else (line,))
