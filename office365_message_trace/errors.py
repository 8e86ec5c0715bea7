"""Exceptions, by what the collector does next.

::

    MessageTraceError             a sentence for the user, a detail for the engineer
    ├── Unavailable               passes by itself: wait and retry
    │   └── Hindered              ... and has nothing to do with what was asked for
    │       ├── Unreachable       ... once the network path works again
    │       ├── Throttled         ... once there is room for more requests
    │       └── NoToken           ... once Entra ID gives a token
    ├── Refused                   a person has to act outside this trigger: hold the data, probe slowly
    │   ├── Misconfigured         only changed settings of this trigger help
    │   └── Rejected              this request is refused; others may pass
    ├── WindowTooLarge            read the rest of the window in smaller ones
    │   └── AnswerTruncated       ... because rows are certainly or probably missing
    ├── HistoryExceeded           the window begins before what the service keeps
    ├── StorageFailed             state could not be read or written: nothing goes on until it can
    ├── ConfigurationMistakes     the settings are unusable; nothing was called
    └── ImpossibleArguments       the arguments of an action are; no mail was asked for

    Stopped                       not an error: the platform asked to stop
    └── Replaced                  ... or another process has taken over the state
"""

import traceback
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from office365_message_trace.model import Window
from office365_message_trace.untrusted_text import LONGEST_LINE, printable


class MessageTraceError(Exception):
    """Base of all failures.

    ``sentence`` says what failed, what it means and who must do what where; its text is stable, so
    that the platform can fold repetitions. ``detail`` adds what an engineer needs (status, error
    code). Neither ever holds a secret, an address or a subject, and both are printable.
    """

    def __init__(self, sentence: str, detail: str = "") -> None:
        self.sentence = printable(sentence, LONGEST_LINE)
        self.detail = printable(detail)
        super().__init__(self.sentence, self.detail)

    def __str__(self) -> str:
        return f"{self.sentence} [{self.detail}]" if self.detail else self.sentence


class Unavailable(MessageTraceError):
    """The other side gave no usable answer this time; ``sentence`` is a short phrase that says why.

    ``retry_after`` is the number of seconds to wait before the next attempt, if known.
    ``lasting`` is the error to report instead if the same answer keeps coming.
    """

    def __init__(
        self,
        sentence: str,
        detail: str = "",
        retry_after: float | None = None,
        lasting: "Refused | None" = None,
    ) -> None:
        super().__init__(sentence, detail)
        self.retry_after = retry_after
        self.lasting = lasting

    def as_lasting(self) -> MessageTraceError:
        """The error to report now that it has lasted. Drops ``lasting``, so that neither error holds
        the other."""
        lasting, self.lasting = self.lasting, None
        return lasting or self

    def about(self, service: str) -> str:
        """A full sentence about a request to ``service``."""
        return f"{service} does not answer as it should ({self.sentence})."


class Hindered(Unavailable):
    """No answer, for a reason that has nothing to do with what was asked for: other requests fail as well."""


class Unreachable(Hindered):
    """The network path is at fault; ``sentence`` is a full one and says who may have to fix it."""

    def about(self, service: str) -> str:
        return self.sentence


class Throttled(Hindered):
    """The other side gives no more answers for now, or our request budget is exhausted."""


class NoToken(Hindered):
    """Entra ID gives no usable token this time."""


class Refused(MessageTraceError):
    """The other side understood and refused; retrying at once is pointless."""


class Misconfigured(Refused):
    """Refused because of a setting of this trigger, such as a secret, a password or an intake key."""


class Rejected(Refused):
    """The service refuses this request and does not say why; others may pass."""


class WindowTooLarge(MessageTraceError):
    """The service cannot give all rows of the window, or not in one piece.

    ``cut``, if known, is a receive time that divides the window so that one part holds less than a
    page. ``window``, if set, is the time whose rows are missing and that cannot be divided: a
    millisecond, and those around it that the service returns with it.
    """

    def __init__(
        self,
        sentence: str,
        detail: str = "",
        cut: datetime | None = None,
        window: Window | None = None,
    ) -> None:
        super().__init__(sentence, detail)
        self.cut = cut
        self.window = window


class AnswerTruncated(WindowTooLarge):
    """The service stopped midway; only smaller windows give the rest."""


class HistoryExceeded(MessageTraceError):
    """The window begins before the ``days`` for which the service says it keeps rows."""

    def __init__(self, sentence: str, days: int, detail: str = "") -> None:
        super().__init__(sentence, detail)
        self.days = days


class StorageFailed(MessageTraceError):
    """The trigger's storage could not be read or written."""


class ConfigurationMistakes(MessageTraceError):
    """All mistakes in a configuration, one line each: field, problem, what to enter."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("The configuration cannot be used: " + " ".join(mistakes))
        self.mistakes = tuple(mistakes)


class ImpossibleArguments(MessageTraceError):
    """All mistakes in the arguments of an action, one line each: argument, problem, what to enter."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("The arguments cannot be used: " + " ".join(mistakes))
        self.mistakes = tuple(mistakes)


class Stopped(Exception):
    """Raised by every wait once the platform has asked to stop; unwinds and changes nothing."""


class Replaced(Stopped):
    """Another process owns the trigger's state now: this one pushes and writes nothing more, and ends."""


def origin(error: BaseException) -> str:
    """The type of ``error`` and where it was raised, without its text, which may hold part of a row."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames))
    return f"{type(error).__name__} at {places}"
