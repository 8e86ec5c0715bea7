"""The SDK's account validator: the platform's test of the credentials in the configuration of the module."""

from sekoia_automation.account_validator import AccountValidator

from office365_message_trace.checks.application import CredentialTest
from office365_message_trace.clock import SystemClock
from office365_message_trace.errors import MessageTraceError, origin
from office365_message_trace.microsoft.endpoints import Endpoints
from office365_message_trace.monitoring.error_reports import (
    disable_trace_propagation,
    limit_reports,
    mute_libraries,
    send_reports,
)
from office365_message_trace.sekoia.task import Task
from office365_message_trace.settings import has_application, parse_application

_REPORT_GRACE = 2.0  # seconds to send error reports
_EMPTY = (
    "The configuration of the module is empty, so there is nothing to test. That is no fault where each trigger "
    "has credentials of its own. For triggers without and for actions enter tenant_id, client_id and "
    "client_secret, or a client_certificate."
)
_UNEXPECTED = (
    "An unexpected fault ended the test. Report this to the maintainers of this module with the text in "
    "brackets."
)

limit_reports()
mute_libraries()


class MessageTraceAccountValidator(Task, AccountValidator):
    """Tells the platform that the credentials can be used, or in one sentence who has to do what.

    Needs no storage, and logs nothing but its own faults.
    """

    def execute(self) -> None:
        disable_trace_propagation()
        try:
            super().execute()  # type: ignore[no-untyped-call]
        finally:
            send_reports(_REPORT_GRACE)

    def validate(self) -> bool:
        """Test the configuration of the module; False with an error unless Microsoft Graph gives rows."""
        try:
            problem = self._problem()
        except MessageTraceError as error:
            problem = str(error)
        except Exception as error:  # its text may be foreign
            self.log_exception(error, message=_UNEXPECTED)
            problem = f"{_UNEXPECTED} [{origin(error)}]"
        if problem is not None:
            self.error(problem)
        return problem is None

    def _problem(self) -> str | None:
        values = self.module_values()
        if not has_application(values):
            return _EMPTY
        machine = SystemClock.unstoppable()
        return CredentialTest(parse_application(values), Endpoints.of("global"), machine).problem()
