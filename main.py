"""Starts the trigger, the action or the credential test that the platform names on the command line."""

import os
import signal
import sys

from office365_message_trace.stopping import INTERRUPTED

if __name__ == "__main__" and os.environ.get("SYMPHONY_RUNTIME") != "fission":
    # Until there is a trigger, a stop simply ends the process. The first process of a container would
    # not be ended without a handler, and importing takes a second or two.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))

from sekoia_automation.exceptions import CommandNotFoundError

from office365_message_trace.account_validator import MessageTraceAccountValidator
from office365_message_trace.playbook_actions import (
    FindMessageRecipientsAction,
    GetMessageTraceDetailsAction,
    SearchMessageTraceAction,
)
from office365_message_trace.sekoia.platform import MessageTraceModule
from office365_message_trace.triggers import (
    MessageTraceBasicTrigger,
    MessageTraceGraphTrigger,
    MessageTraceOAuthTrigger,
)

if __name__ == "__main__":
    module = MessageTraceModule()  # type: ignore[no-untyped-call]
    module.register(MessageTraceOAuthTrigger, "message_trace_oauth")
    module.register(MessageTraceBasicTrigger, "message_trace_basic")
    module.register(MessageTraceGraphTrigger, "message_trace_graph")
    module.register(SearchMessageTraceAction, "search_message_trace")
    module.register(GetMessageTraceDetailsAction, "get_message_trace_details")
    module.register(FindMessageRecipientsAction, "find_message_recipients")
    module.register_account_validator(MessageTraceAccountValidator)
    status = 0
    try:
        module.run()  # type: ignore[no-untyped-call]
    except SystemExit as end:
        status = int(end.code or 0)
    except CommandNotFoundError:
        asked = " ".join(sys.argv[1:]) or "nothing"
        sys.stderr.write(
            f"Enter a trigger or an action to start, not {asked}: {' '.join(module._items)}\n"
        )
        status = 2
    # On Fission the process is a server of the platform's, which runs one action after another.
    if os.environ.get("SYMPHONY_RUNTIME") != "fission":
        # Not by the interpreter's own end, which frees all objects and waits for threads.
        os._exit(status)
