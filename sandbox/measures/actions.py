"""What the actions cost in a tenant with much mail, each from a process of its own."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from sandbox.mailflow import MailFlowOptions
from sandbox.measures.mail import SteadyMail
from sandbox.process import run_action
from sandbox.rows import make_row
from sandbox.tenant import Tenant
from sandbox.world import Sandbox, SandboxOptions

DAYS = 30
ROWS = 1_000_000
"""In those days, made when they are asked for."""
RECIPIENTS = 3000
_TRACE_ID = "00000000-0000-4000-8000-00000000beef"
_MESSAGE_ID = "<phish@evil.example>"
_DOMAIN_EVERY = timedelta(minutes=20)  # another message of the domain


def questions() -> Iterator[str]:
    """A message to very many, and a domain, among a million rows."""
    with Sandbox(SandboxOptions(mail=MailFlowOptions(messages_per_minute=0))) as world:
        world.graph.tenant = Tenant(SteadyMail(ROWS // DAYS), cached_rows=ROWS)
        world.graph.options.recipients_shown = 1000
        now = world.now()
        received = now - timedelta(days=12)
        world.graph.tenant.add(
            *(
                make_row(
                    received,
                    MessageTraceId=_TRACE_ID,
                    MessageId=_MESSAGE_ID,
                    SenderAddress="boss@evil.example",
                    RecipientAddress=f"user{number}@contoso.example",
                )
                for number in range(RECIPIENTS)
            ),
            *(
                make_row(now - number * _DOMAIN_EVERY, SenderAddress=f"{number}@supplier.example")
                for number in range(int(timedelta(days=DAYS) / _DOMAIN_EVERY))
            ),
        )
        start = {"start": f"{DAYS} days ago"}
        many = {"message_id": _MESSAGE_ID, **start}
        yield _answered(world, "recipients by Message-ID", "find_message_recipients", many)
        by_id = {"trace_id": _TRACE_ID, **start}
        yield _answered(world, "recipients by trace id", "find_message_recipients", by_id)
        pair = {"sender": "@evil.example", "subject": "By hand", **start}
        yield _answered(world, "recipients by sender and subject", "find_message_recipients", pair)
        domain = {"sender": "@supplier.example", "limit": 10000, **start}
        yield _answered(world, "search of a domain", "search_message_trace", domain)
        two = {"sender": ["@supplier.example", "@evil.example"], "limit": 10000, **start}
        yield _answered(world, "search of two domains", "search_message_trace", two)
        row = {"trace_id": _TRACE_ID, "recipient": "user7@contoso.example"}
        yield _answered(world, "details", "get_message_trace_details", row)


def _answered(world: Sandbox, what: str, action: str, arguments: dict[str, Any]) -> str:
    """One line on an action: what it found, requests, seconds in all and those of the service."""
    world.request_log.clear()
    service = 0.0
    handle = world.graph.handle

    def timed(request: Any) -> Any:
        nonlocal service
        began = time.monotonic()
        try:
            return handle(request)
        finally:
            service += time.monotonic() - began

    world.graph.handle = timed  # type: ignore[method-assign]
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        run_action(world, Path(folder), action, arguments)
        seconds = time.monotonic() - began
    world.graph.handle = handle  # type: ignore[method-assign]
    results = world.playbook.callbacks[-1]["results"]
    found = results.get("total", len(results.get("events", ())))
    complete = "complete" if results["complete"] else "incomplete"
    return (
        f"{what}, {DAYS} days of {ROWS:,} rows: {found:,} found, {complete}, "
        f"{world.request_log.count('graph')} requests, {seconds:.1f} s, of which the sandbox's Graph "
        f"took {service:.1f} s"
    )
