"""What is refused at present and by whom, and when to try again."""

from office365_message_trace.collect.backoff import SlowProbe
from office365_message_trace.collect.coverage import Kind
from office365_message_trace.collect.monitor import Monitor
from office365_message_trace.errors import Misconfigured, Refused
from office365_message_trace.model import Log
from office365_message_trace.seldom import HOURLY, Seldom

_OF_THE_PAST = (
    "Some message traces of the past are refused. They are tried again, and everything else goes on unless "
    "it is refused, too. The usual cause: {}"
)
_VOUCHING = 60.0  # seconds, after which newer mail may show that the intake works


class Refusals:
    """Refusals by Microsoft and by the intake that last, for fresh mail and for the past.

    The platform stops a trigger that logs `critical`, so that level is used only if the settings have
    to change and several probes in a row have shown it. Microsoft's refusals of the past do not show it:
    if a setting is the cause, fresh mail is refused as well.
    """

    def __init__(self, log: Log, monitor: Monitor) -> None:
        self._log = log
        self._monitor = monitor
        self._live_probe = SlowProbe()
        self._past_probe = SlowProbe()
        self._by_intake: dict[Kind, bool] = {}  # false if Microsoft refuses
        self._telling = Seldom(HOURLY)

    @property
    def of_live(self) -> bool:
        """True while fresh mail is refused."""
        return Kind.LIVE in self._by_intake

    @property
    def of_past(self) -> bool:
        """True while anything but fresh mail is refused."""
        return any(kind is not Kind.LIVE for kind in self._by_intake)

    def wait_for_past(self, moment: float) -> float:
        """Seconds from ``moment`` until windows of the past are tried again."""
        return self._past_probe.wait(moment)

    def note(self, kind: Kind, refusal: Refused, by_intake: bool, moment: float) -> float:
        """Log who has to do what, and probe slowly. Returns the seconds until the next probe.

        An intake that refuses all events without naming the key may object to these few only, so it is
        tried again sooner, with newer mail.
        """
        lasting = isinstance(refusal, Misconfigured)
        self._by_intake[kind] = by_intake
        self._monitor.refused(kind, True)
        probe = self._probe(kind)
        if not probe.wait(moment):
            probe.failed(moment, lasting)
            if by_intake or kind is Kind.LIVE:
                self._log(str(refusal), "critical" if probe.certain else "error")
            else:
                self.tell(refusal, moment)
        pause = probe.wait(moment)
        return min(pause, _VOUCHING) if by_intake and not lasting else pause

    def tell(self, refusal: Refused, moment: float) -> None:
        """Log, at most once an hour, that Microsoft refuses windows of the past with ``refusal``."""
        if self._telling.may_say(_OF_THE_PAST, moment):
            self._log(_OF_THE_PAST.format(refusal), "error")

    def end(self, read: Kind, accepted: bool) -> bool:
        """End those that a complete window of kind ``read`` disproves, and of the intake's those of all kinds if
        it ``accepted`` an event. Returns True if any ended."""
        ended = [
            kind
            for kind, by_intake in self._by_intake.items()
            if (accepted if by_intake else kind is read)
        ]
        for kind in ended:
            del self._by_intake[kind]
            self._monitor.refused(kind, False)
            self._probe(kind).reset()
        if ended:
            self._log("Collecting again.", "info")
        return bool(ended)

    def _probe(self, kind: Kind) -> SlowProbe:
        return self._live_probe if kind is Kind.LIVE else self._past_probe
