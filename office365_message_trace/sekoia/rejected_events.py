"""Tells faults of the intake from those of single events, and remembers the events at fault."""

from collections.abc import Iterable
from enum import Enum, auto

from office365_message_trace.model import Event

MOST_REMEMBERED = 10_000
"""Fingerprints of refused events; a forgotten event is sent together with others again."""

REST = 45.0
"""Seconds before an event that was refused is sent again, however often its time is read meanwhile; less than a
minute, so that the next read by the usual `frequency` sends it."""


class _Standing(Enum):
    UNPROVEN = auto()  # accepted nothing since the start, or since it was found at fault
    WORKING = auto()  # accepted something since it last refused a new event
    DOUBTED = auto()  # refused one new event since, alone


class RejectedEvents:
    """Refused events, in memory, and the standing of the intake that refused them.

    A refusal shows a fault of the event only if the intake is known to work. So of the events that
    are refused

    * together with accepted ones of the same batch, each is itself at fault;
    * where nothing of a batch is accepted, a *single new event* is at fault if the intake accepted
      something since it last refused a new one: in a quiet tenant it holds up nothing. A second such
      event, or a batch of several, puts the intake at fault. So an intake that starts to refuse
      everything is believed about one event at most;
    * that are *refused again*, each stays at fault unless the intake was found at fault meanwhile, or is
      in doubt and answers as in an outage.

    Everything else is the intake's fault: the events are held until it accepts something. Held events
    come back together with later mail, which is sent first; the first of it that is accepted vouches
    for the intake. So no event blocks mail that comes after it. A wrong verdict costs little: each
    later read of their time sends refused events again.
    """

    def __init__(self) -> None:
        self._standing = _Standing.UNPROVEN
        self._refused: dict[bytes, float] = {}  # when, by fingerprint

    def divided(
        self, events: Iterable[Event], moment: float
    ) -> tuple[list[Event], list[Event], list[Event]]:
        """The new ``events``; those refused before, earliest refusal first; and of these the ones that an intake which
        works has refused since less than `REST` ago, at ``moment`` in monotonic seconds."""
        new: list[Event] = []
        known: list[Event] = []
        resting: list[Event] = []
        works = self._standing is _Standing.WORKING
        for event in events:
            if event.fingerprint not in self._refused:
                new.append(event)
            elif works and moment - self._refused[event.fingerprint] < REST:
                resting.append(event)
            else:
                known.append(event)
        known.sort(key=lambda event: self._refused[event.fingerprint])
        return new, known, resting

    def vouch(self, accepted: Iterable[Event]) -> None:
        """Note that the intake accepted something, among it the ``accepted`` events."""
        self._standing = _Standing.WORKING
        if self._refused:
            for event in accepted:
                self._refused.pop(event.fingerprint, None)

    def distrust(self) -> None:
        """Note that the intake was found at fault."""
        self._standing = _Standing.UNPROVEN

    def intake_at_fault(self, events: int, known: bool, told: bool) -> bool:
        """Judge by the rule above, after none of this many ``events``, all new or all ``known``, was
        accepted. A single new event that is found at fault puts the intake in doubt. If that event is refused
        again, and the intake has not ``told`` that it means the event, the intake is at fault."""
        if known and (told or self._standing is not _Standing.DOUBTED):
            return self._standing is _Standing.UNPROVEN
        if events == 1 and self._standing is _Standing.WORKING:
            self._standing = _Standing.DOUBTED
            return False
        return True

    def remember(self, refused: list[Event], moment: float) -> bool:
        """Remember events ``refused`` at ``moment``. Returns True if any of them is new."""
        any_new = any(event.fingerprint not in self._refused for event in refused)
        for event in refused:
            self._refused.pop(event.fingerprint, None)
            self._refused[event.fingerprint] = moment
        self._forget_surplus()
        return any_new

    def suspect(self, refused: list[Event], moment: float) -> None:
        """Remember one of the new events ``refused`` at ``moment`` by an intake that is found at fault now and accepted
        something before. If they are at fault themselves, they are fewer the next time, until only one is new.
        """
        if self._standing is _Standing.WORKING:
            self.remember_untried(refused[:1], moment)

    def remember_untried(self, refused: list[Event], moment: float) -> None:
        """Remember events that were not sent again, for lack of time: new ones as refused at ``moment``, known ones
        as before."""
        for event in refused:
            self._refused.setdefault(event.fingerprint, moment)
        self._forget_surplus()

    def _forget_surplus(self) -> None:
        for fingerprint in list(self._refused)[:-MOST_REMEMBERED]:
            del self._refused[fingerprint]
