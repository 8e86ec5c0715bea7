"""The base of the SDK's actions and account validator, which work with the configuration of the module."""

from collections.abc import Mapping
from typing import Any, ClassVar

from sekoia_automation.exceptions import SendEventError

from office365_message_trace.clock import SystemClock
from office365_message_trace.errors import Unavailable
from office365_message_trace.sekoia import platform, playbook
from office365_message_trace.sekoia.log import PrintableLog
from office365_message_trace.transport.retry import Transport, check_available
from office365_message_trace.transport.session import Answer

ATTEMPTS = 25
"""Attempts to report to the platform, over some fifteen minutes."""

_OUTLOOK = "Trying again for some minutes."


class Task(PrintableLog):
    """Runs once for the platform, which gives the secrets of the module when it hears that this runs.

    Precedes the SDK's class among the bases of an item.
    """

    running: ClassVar[dict[str, Any]] = {"status": "running"}
    _module_secrets: Mapping[str, Any] = {}

    def set_task_as_running(self) -> None:
        """Tell the platform that this runs, and take the secrets from its answer.

        The SDK's own fails where there are none, as with an empty configuration, and hands them to the
        client of the error tracker.
        """
        answer = self._send_request(self.running, verb="PATCH")
        given = playbook.module_secrets_in(answer.body)
        secrets = self.module.manifest_secrets()
        self._module_secrets = {name: given[name] for name in secrets if name in given}

    def module_values(self) -> dict[str, Any]:
        """The configuration of the module with its secrets, not validated. Raises `ConfigurationMistakes`."""
        return platform.module_values(self.module.load_config, self._module_secrets)

    def _send_request(self, data: Mapping[str, Any], verb: str = "POST", attempt: int = 1) -> Any:
        """The platform's `Answer` to a report of ``data``.

        The SDK's own limits neither the time nor the size of an answer, follows redirects, and may send a login of
        ``.netrc``. Raises `SendEventError`, as that does.
        """
        clock = SystemClock.unstoppable()
        request = playbook.report_request(self.callback_url, self.token, verb, data)

        def judge(answer: Answer) -> Answer:
            check_available(answer, clock.now())
            if answer.status >= 400:
                raise SendEventError("The platform refuses a report", status_code=answer.status)
            return answer

        transport = Transport(
            playbook.report_http(), playbook.NAME, clock, self.log, outlook=_OUTLOOK
        )
        try:
            return transport.call(request, judge, ATTEMPTS)
        except Unavailable as fault:
            raise SendEventError(fault.about(playbook.NAME), status_code=500) from None
