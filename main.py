"""Starts the trigger that the platform names on the command line."""

import os
import signal

if __name__ == "__main__":
    # Until there is a trigger, a stop simply ends the process. The first process of a container would
    # not be ended without a handler, and importing takes a second or two.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os._exit(0))

from sekoia_automation.module import Module

from office365_message_trace.triggers import (
    MessageTraceBasicTrigger,
    MessageTraceGraphTrigger,
    MessageTraceOAuthTrigger,
)

if __name__ == "__main__":
    module = Module()  # type: ignore[no-untyped-call]
    module.register(MessageTraceOAuthTrigger, "message_trace_oauth")
    module.register(MessageTraceBasicTrigger, "message_trace_basic")
    module.register(MessageTraceGraphTrigger, "message_trace_graph")
    module.run()  # type: ignore[no-untyped-call]
    # The work is done; a signal from now on would turn the exit status into a failure.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
