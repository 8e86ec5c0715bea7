"""Starts the trigger that the platform names on the command line."""

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
