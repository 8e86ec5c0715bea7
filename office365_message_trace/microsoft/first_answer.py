"""Learns Microsoft's time before anything is planned."""

from datetime import datetime, timedelta

from office365_message_trace.errors import Stopped, Unavailable
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.odata import ODataClient
from office365_message_trace.model import Window

_NEWEST = timedelta(minutes=1)  # of receive time, of which a page tells the time at little cost
_LONGEST_PAUSE = 60.0  # seconds


def learn_time(source: ODataClient, clock: MicrosoftClock) -> datetime:
    """Microsoft's time, which is asked for before anything is planned by a machine's clock.

    Any answer tells it, a refusal too. Waits as long as there is none, because nothing can be collected
    then. Without a usable ``Date`` the machine's time counts.
    """
    pause = 1.0
    while True:
        now = clock.now()
        try:
            source.glance(Window(now - _NEWEST, now))
            answered = True
        except Unavailable:
            answered = clock.ahead is not None
        except Stopped:
            raise
        except Exception:  # the first read meets it, too, and says who has to do what about it
            answered = True
        if answered:
            return clock.now()
        clock.wait(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
