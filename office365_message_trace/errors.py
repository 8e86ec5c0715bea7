"""What can go wrong, by what has to follow.

::

    MessageTraceError             a sentence for the user, a detail for the engineer
    ├── Unavailable               passes by itself: wait, then ask again
    │   ├── Unreachable           ... once the cause on the way to the other side has ended
    │   └── Throttled             ... once there is room for more requests
    ├── Refused                   a person has to act outside this trigger: hold the data, probe slowly
    │   ├── Misconfigured         only changed settings of this trigger help
    │   └── Rejected              this very request is not accepted; others may be
    ├── WindowTooLarge            read the rest of the same time again in smaller windows
    │   └── AnswerTruncated       ... because rows are certainly or probably missing
    ├── HistoryExceeded           the window begins before what the service keeps
    ├── StorageFailed             state could not be read or written: nothing may move until it can
    └── ConfigurationMistakes     the settings are unusable; nothing was called

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
    that the platform can fold repetitions. ``detail`` holds what an engineer wants besides (status,
    error code). Neither ever holds a secret, an address or a subject, and both are printable.
    """

    def __init__(self, sentence: str, detail: str = "") -> None:
        self.sentence = printable(sentence, LONGEST_LINE)
        self.detail = printable(detail)
        super().__init__(self.sentence, self.detail)

    def __str__(self) -> str:
        return f"{self.sentence} [{self.detail}]" if self.detail else self.sentence


class Unavailable(MessageTraceError):
    """The other side did not give a usable answer this time: ``sentence`` says in some words why.

    ``retry_after`` is the number of seconds before it is worth asking again, where that is known.
    ``lasting`` is what the same answer means if it comes again and again.
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

    def meant(self) -> MessageTraceError:
        """What it means now that it has lasted: asked for once, so that neither error holds the other."""
        lasting, self.lasting = self.lasting, None
        return lasting or self

    def about(self, service: str) -> str:
        """A whole sentence, for a request to ``service``."""
        return f"{service} does not answer as it should ({self.sentence})."


class Unreachable(Unavailable):
    """The cause is on the way, and somebody may have to end it: ``sentence`` is whole and says who."""

    def about(self, service: str) -> str:
        return self.sentence


class Throttled(Unavailable):
    """The other side gives no more answers for now, or the request budget does not allow to ask."""


class Refused(MessageTraceError):
    """The other side understood and said no; asking again at once is pointless."""


class Misconfigured(Refused):
    """Refused because of a setting of this trigger, such as a secret, a password or an intake key."""


class Rejected(Refused):
    """The service does not accept this very request, and does not say why: others may pass."""


class WindowTooLarge(MessageTraceError):
    """The service cannot give all rows of the window, or not in one piece.

    ``cut`` is a receive time at which dividing the window leaves less than a page in one part, if
    one is known. ``window`` is the time that rows are missing of, if no smaller window can divide it: a
    millisecond, and those around it that the service gives with it.
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
    """The service stopped in the middle; a smaller window is the only way to the rest."""


class HistoryExceeded(MessageTraceError):
    """The window begins earlier than the service keeps rows for; ``days`` is what it says it keeps."""

    def __init__(self, sentence: str, days: int, detail: str = "") -> None:
        super().__init__(sentence, detail)
        self.days = days


class StorageFailed(MessageTraceError):
    """The trigger's storage could not be read or written."""


class ConfigurationMistakes(MessageTraceError):
    """All mistakes of a configuration, one line each: field, what is wrong, what to enter."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        super().__init__("The configuration cannot be used: " + " ".join(mistakes))
        self.mistakes = tuple(mistakes)


class Stopped(Exception):
    """Raised by every wait once the platform has asked to stop; it unwinds and changes nothing."""


class Replaced(Stopped):
    """Another process owns the trigger's state now: this one pushes and writes nothing more, and ends."""


def origin(error: BaseException) -> str:
    """What was raised where, without the text of the error, which may hold a part of a row."""
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    places = " < ".join(f"{Path(f.filename).name}:{f.lineno}" for f in reversed(frames))
    return f"{type(error).__name__} at {places}"
