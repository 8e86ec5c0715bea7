"""Learns Microsoft's time before anything is planned."""

from datetime import datetime, timedelta

from office365_message_trace.errors import Stopped, Unavailable
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.odata import ODataClient
from office365_message_trace.model import Window

_NEWEST = timedelta(minutes=1)  # of receive time: a cheap page that tells the time
_LONGEST_PAUSE = 60.0  # seconds


def learn_time(source: ODataClient, clock: MicrosoftClock) -> datetime:
    """Ask Microsoft for the time, before anything is planned by the machine's clock.

    Any answer tells it, even a refusal. Waits until there is one, because nothing can be collected
    before. Returns the time of the call, however long the answer took: a first start counts from then.
    Without a usable ``Date``, that is the machine's time.
    """
    began = clock.monotonic()
    pause = 1.0
    while True:
        now = clock.now()
        try:
            source.first_page(Window(now - _NEWEST, now))
            answered = True
        except Unavailable:
            answered = clock.ahead is not None
        except Stopped:
            raise
        except Exception:  # the first read fails as well, and reports who has to do what
            answered = True
        if answered:
            return clock.now() - timedelta(seconds=clock.monotonic() - began)
        clock.wait(pause)
        pause = min(2 * pause, _LONGEST_PAUSE)
