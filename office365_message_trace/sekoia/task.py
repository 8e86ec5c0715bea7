"""The base of the SDK's actions and account validator, which work with the configuration of the module."""

from collections.abc import Mapping
from typing import Any, ClassVar

from office365_message_trace.sekoia import platform, playbook
from office365_message_trace.sekoia.log import PrintableLog


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
        given = playbook.module_secrets_in(answer.content)
        secrets = self.module.manifest_secrets()
        self._module_secrets = {name: given[name] for name in secrets if name in given}

    def module_values(self) -> dict[str, Any]:
        """The configuration of the module with its secrets, not validated. Raises `ConfigurationMistakes`."""
        return platform.module_values(self.module.load_config, self._module_secrets)
