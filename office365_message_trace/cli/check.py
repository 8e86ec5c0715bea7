"""``check``: follows the way of rows, from the settings to the intake, and reports faults."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from office365_message_trace.checks.findings import (
    Finding,
    exit_status,
    ok,
    warning,
    without_contradictions,
)
from office365_message_trace.checks.intake import event_of_check, intake_finding
from office365_message_trace.checks.message_trace import access_findings
from office365_message_trace.checks.network import clock_finding, network_findings, reach_all
from office365_message_trace.checks.sign_in import SIGN_IN, sign_in_finding
from office365_message_trace.checks.storage import storage_findings
from office365_message_trace.checks.token import LACKS_PERMISSION
from office365_message_trace.cli.configuration import Setup
from office365_message_trace.clock import Clock
from office365_message_trace.errors import StorageFailed
from office365_message_trace.formatting import moment
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.credentials import ClientCertificate
from office365_message_trace.sekoia.intake_formats import INTAKE_FORMATS
from office365_message_trace.storage.location import storage_at
from office365_message_trace.transport.client import RequestsHttp
from office365_message_trace.transport.session import TimeoutSession
from office365_message_trace.wiring import ENTRA, INTAKE, Wiring, place_of


def examine(
    setup: Setup, data_path: Path, machine: Clock, send_test_event: bool
) -> Iterator[Finding]:
    """All findings, in the order of the steps.

    Skips steps that must fail because of an earlier failure. Makes fewer than ten requests, and does not
    affect a running trigger.
    """
    clock = MicrosoftClock(machine, _discard)
    yield from without_contradictions(_configuration(setup))
    if certificate := setup.settings.certificate:
        yield from _certificate(certificate, machine.now())
    parts = Wiring(setup.settings, setup.endpoints, data_path, clock, _discard, read_only=True)
    source, is_application = parts.source(), bool(setup.settings.credentials)
    ways = [(source.name, parts.service_url), (INTAKE, setup.intake_server)]
    if is_application:
        ways.insert(0, (ENTRA, setup.endpoints.login))
    reached = reach_all(ways, clock)
    yield from network_findings(reached)
    for each in reached:
        if each.service != INTAKE:
            clock.heard(each.service, each.date, each.at)
    if skew := clock_finding(clock):
        yield skew
    unreachable = {each.service for each in reached if each.problem}

    may_read = ENTRA not in unreachable
    if may_read and is_application:
        token = sign_in_finding(parts.signer, source, parts.scope)
        may_read = token.subject != SIGN_IN and not token.code.endswith(LACKS_PERMISSION)
        yield token
    if may_read and source.name not in unreachable:
        yield from access_findings(source, clock.now())
    if INTAKE not in unreachable:
        yield _intake(setup, clock, send_test_event)
    stored = storage_findings(data_path, parts.folder, setup.settings.policy, clock.now())
    yield from without_contradictions([*stored, *_belonging(setup, data_path)])


def report(setup: Setup | None, findings: Sequence[Finding]) -> dict[str, Any]:
    """The result for machines; without a ``setup`` the settings cannot be used."""
    return {
        "status": exit_status(findings),
        "trigger": setup.trigger.value if setup else None,
        "tenant": setup.settings.tenant if setup else None,
        "findings": [
            {
                "level": each.level.value,
                "code": each.code,
                "subject": each.subject,
                "text": each.text,
            }
            for each in findings
        ],
    }


def _configuration(setup: Setup) -> Iterator[Finding]:
    subject = "configuration"
    for doubt in setup.doubts:
        yield warning(subject, "doubtful", doubt)
    yield ok(subject, f'complete, for the trigger "{setup.trigger.title}"')


def _certificate(certificate: ClientCertificate, now: datetime) -> Iterator[Finding]:
    """The expiry of a valid certificate; the settings' doubts report an invalid one."""
    if not certificate.doubts(now):
        ends = certificate.certificate.not_valid_after_utc
        yield ok("certificate", f"valid until {moment(ends)}")


def _belonging(setup: Setup, data_path: Path) -> Iterator[Finding]:
    """Warnings that the state is of another tenant or intake. A failing storage has its own finding."""
    with suppress(StorageFailed):
        place = place_of(storage_at(data_path), setup.settings)
        yield from (warning("state", "of-another", text) for text in place.news)


def _intake(setup: Setup, clock: Clock, send_test_event: bool) -> Finding:
    settings = setup.settings
    event = None
    if send_test_event:
        reporting_format = settings.intake_format == INTAKE_FORMATS["reporting"]
        event = event_of_check(clock.now(), reporting_format)
    http = RequestsHttp(TimeoutSession())
    key = settings.intake_key.get_secret_value()
    return intake_finding(
        http, setup.intake_server, key, settings.intake_format, event, clock.now()
    )


def _discard(_text: str, _level: str) -> None:
    """Drop a log line: the findings report the same."""
