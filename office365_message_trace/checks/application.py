"""The credential test: whether an application may read message trace, as one sentence."""

from concurrent.futures import Future
from threading import Thread

from office365_message_trace.checks.findings import Finding, Level
from office365_message_trace.checks.message_trace import access_findings
from office365_message_trace.checks.sign_in import SIGN_IN, sign_in_finding
from office365_message_trace.clock import Clock
from office365_message_trace.formatting import count
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.endpoints import Endpoints
from office365_message_trace.microsoft.graph import GraphClient
from office365_message_trace.microsoft.reporting import ReportingClient
from office365_message_trace.settings import Application
from office365_message_trace.wiring import ENTRA, Trial, trial

TIME_LIMIT = 10.0
"""Seconds of a test, whatever the network does."""
_EXCHANGE = 8.0  # seconds; shorter, so that the sentence tells the cause of most delays
_LATE = (
    "{} has not answered within {}. Test again; if it lasts, have the administrator of the network "
    "look at the way to it."
)
_ONLY_REPORTING = (
    "Only the Reporting Web Service gives rows to these credentials: the trigger Office 365 Message Trace OAuth "
    "can use them. For the Graph trigger and the actions: {}"
)


class CredentialTest:
    """Tests ``application`` with Microsoft Graph, and where that refuses, with the Reporting Web Service.

    Makes two requests where all is well, one more if there was no mail in the last hour, and at most eight.
    Does not wait for the request budget, nor count against that of triggers and actions: the quota has room
    for a few requests of others.
    """

    def __init__(
        self,
        application: Application,
        endpoints: Endpoints,
        machine: Clock,
        time_limit: float = TIME_LIMIT,
    ) -> None:
        self._application = application
        self._endpoints = endpoints
        self._clock = MicrosoftClock(machine, _discard)
        self._time_limit = time_limit
        self._asked = ENTRA
        self._so_far: str | None = None

    def problem(self) -> str | None:
        """One sentence with the problem and who has to do what; None if Microsoft Graph gives rows.

        Takes `TIME_LIMIT` at most. What is under way then ends by its own limit, in a thread that nothing
        waits for.
        """
        found: Future[str | None] = Future()

        def work() -> None:
            try:
                found.set_result(self._problem())
            except BaseException as error:  # raised again in the thread that waits
                found.set_exception(error)

        Thread(target=work, name="credential test", daemon=True).start()
        try:
            return found.result(self._time_limit)
        except TimeoutError:
            return self._so_far or _LATE.format(
                self._asked, count(round(self._time_limit), "second")
            )

    def _problem(self) -> str | None:
        problem = self._problem_with(self._trial(GraphClient))
        if problem is None:
            return None
        if problem.subject == SIGN_IN or problem.level is not Level.FAILURE:
            return problem.text
        self._so_far = problem.text
        if self._problem_with(self._trial(ReportingClient)) is None:
            return _ONLY_REPORTING.format(problem.text)
        return problem.text

    def _problem_with(self, service: Trial) -> Finding | None:
        self._asked = ENTRA
        token = sign_in_finding(service.signer, service.source, service.scope)
        if token.level is Level.FAILURE:
            return token
        self._asked = service.source.name
        access, *_ = access_findings(service.source, self._clock.now())
        return None if access.level is Level.OK else access

    def _trial(self, client: type[GraphClient] | type[ReportingClient]) -> Trial:
        return trial(self._application, self._endpoints, client, self._clock, _discard, _EXCHANGE)


def _discard(_text: str, _level: str) -> None:
    """Drop a log line: the sentence tells the same."""
