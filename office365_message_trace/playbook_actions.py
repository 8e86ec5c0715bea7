"""The SDK's action classes: they check arguments, have them answered, and report to the platform."""

from typing import Any, ClassVar

from sekoia_automation.action import Action
from sekoia_automation.configuration.exception import MissingConfigurationError

from office365_message_trace.actions.answer import answer
from office365_message_trace.actions.arguments import (
    Arguments,
    DetailsArguments,
    RecipientsArguments,
    SearchArguments,
)
from office365_message_trace.actions.results import (
    DetailsResult,
    RecipientsResult,
    SearchResult,
)
from office365_message_trace.clock import SystemClock
from office365_message_trace.errors import (
    ConfigurationMistakes,
    ImpossibleArguments,
    MessageTraceError,
    origin,
)
from office365_message_trace.microsoft.clock import MicrosoftClock
from office365_message_trace.microsoft.endpoints import Endpoints
from office365_message_trace.monitoring.error_reports import (
    disable_trace_propagation,
    limit_reports,
    mute_libraries,
    send_reports,
)
from office365_message_trace.sekoia.task import Task
from office365_message_trace.settings import Application, has_application, parse_application
from office365_message_trace.wiring import graph_access

_REPORT_GRACE = 2.0  # seconds to send error reports
_NO_CREDENTIALS = (
    "The module has no credentials. Enter tenant_id, client_id and client_secret, or a client_certificate, in "
    "the configuration of the module."
)
_UNEXPECTED = (
    "An unexpected fault ended the action. Report this to the maintainers of this module with the text in "
    "brackets."
)

limit_reports()
mute_libraries()


class MessageTraceAction(Task, Action):
    """Base of the actions: each ends with a result, or with one error that says who has to do what.

    Neither the log nor an error holds an address or a subject; results hold both. Nothing outlives an
    action, so a process may run any number of them.
    """

    arguments_model: ClassVar[type[Arguments]]
    running: ClassVar[dict[str, Any]] = {"status": "running", "need_secrets": True}

    @property
    def arguments(self) -> Any:
        """The arguments as the platform gives them; None if they are not given, or no JSON."""
        try:
            return super().arguments
        except (MissingConfigurationError, OSError, ValueError, RecursionError):
            return None

    def execute(self) -> None:
        disable_trace_propagation()
        try:
            super().execute()
        finally:
            send_reports(_REPORT_GRACE)

    def run(self, arguments: Any) -> dict[str, Any] | None:
        """The result for ``arguments``; None after an error, which is reported."""
        try:
            return self._answer(arguments)
        except MessageTraceError as error:
            self.error(str(error))
        except Exception as error:  # the SDK would report its text, and all places of the code
            self.log_exception(error, message=_UNEXPECTED)
            self.error(f"{_UNEXPECTED} [{origin(error)}]")
        return None

    def _answer(self, values: Any) -> dict[str, Any]:
        machine = SystemClock.unstoppable()
        clock = MicrosoftClock(machine, self._report)
        arguments, application = self._checked(values)
        access = graph_access(
            application,
            Endpoints.of("global"),
            self.data_path,
            clock,
            self._report,
            arguments.time_limit,
        )
        result = answer(arguments, access, clock)
        found = "complete" if result.complete else "incomplete"
        self._report(
            f"Requests to Microsoft Graph: {result.requests}. The answer is {found}.", "info"
        )
        return result.model_dump()

    def _checked(self, values: Any) -> tuple[Arguments, Application]:
        """The arguments and the module's credentials. Raises one error with the mistakes of both."""
        try:
            arguments = self.arguments_model.of(values)
        except ImpossibleArguments as mistaken:
            try:
                self._application()
            except ConfigurationMistakes as also:
                raise ImpossibleArguments([*mistaken.mistakes, str(also)]) from None
            raise
        return arguments, self._application()

    def _application(self) -> Application:
        values = self.module_values()
        if not has_application(values):
            raise ConfigurationMistakes([_NO_CREDENTIALS])
        return parse_application(values)

    def _report(self, text: str, level: str) -> None:
        self.log(text, level)


class SearchMessageTraceAction(MessageTraceAction):
    """Search message trace."""

    arguments_model = SearchArguments
    results_model = SearchResult


class GetMessageTraceDetailsAction(MessageTraceAction):
    """Get message trace details."""

    arguments_model = DetailsArguments
    results_model = DetailsResult


class FindMessageRecipientsAction(MessageTraceAction):
    """Find all recipients of a message."""

    arguments_model = RecipientsArguments
    results_model = RecipientsResult
