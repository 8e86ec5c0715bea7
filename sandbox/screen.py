"""The terminal during a demo: a progress line, and the lines that a process writes to its output."""

from __future__ import annotations

import shutil
import time
from pathlib import Path
from typing import TextIO

PLAIN_SECONDS = 2.0
"""How often progress is printed where lines cannot be overwritten."""

_BAR = 30
_ERASE = "\r\x1b[K"


class Screen:
    """Writes to `stream`; lines that appear in `output` are shown, indented, as they come."""

    def __init__(self, stream: TextIO, output: Path) -> None:
        self._stream = stream
        self._output = output
        self._shown = 0  # bytes of the output
        self._terminal = stream.isatty()
        self._printed_at = time.monotonic()
        self._bar = ""  # the progress that stands on the terminal's last line

    def line(self, text: str = "") -> None:
        """Print `text`, in place of the progress if that is in the way."""
        self._stream.write((_ERASE if self._bar else "") + text + "\n")
        self._stream.flush()
        self._bar = ""

    def progress(self, done: int, total: int, what: str, *, last: bool = False) -> None:
        """Show new output and how far things are; with `last` for good."""
        self._follow(last)
        filled = _BAR * min(done, total) // max(total, 1)
        bar = f"[{'#' * filled}{'.' * (_BAR - filled)}] {done:,} of {total:,} {what}"
        if last:
            self.line(bar)
        elif self._terminal:
            self._draw(bar[: shutil.get_terminal_size().columns - 1])
        elif time.monotonic() - self._printed_at >= PLAIN_SECONDS:
            self._printed_at = time.monotonic()
            self.line(bar)

    def _draw(self, bar: str) -> None:
        if bar != self._bar:
            self._stream.write(_ERASE + bar)
            self._stream.flush()
            self._bar = bar

    def _follow(self, last: bool) -> None:
        with self._output.open("rb") as output:
            output.seek(self._shown)
            fresh = output.read()
        whole = fresh if last else fresh[: fresh.rfind(b"\n") + 1]
        self._shown += len(whole)
        for each in whole.decode("utf-8", "replace").splitlines():
            self.line(f"    {each}")
