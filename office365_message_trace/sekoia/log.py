"""Log lines of the SDK's items without foreign text."""

from typing import Any

from sekoia_automation.module import ModuleItem

from office365_message_trace.errors import origin
from office365_message_trace.untrusted_text import LONGEST_LINE, printable


class PrintableLog(ModuleItem):
    """Precedes the SDK's class among the bases of an item."""

    def log(self, message: str, *args: Any, **kwargs: Any) -> None:
        """Log ``message`` in printable form, to the platform, its error tracker and the console."""
        super().log(printable(message, LONGEST_LINE), *args, **kwargs)

    def log_exception(self, exception: Exception, **kwargs: Any) -> None:
        """Log where ``exception`` was raised, after the ``message`` if there is one.

        Its text may hold part of an answer, and the SDK fills the other ``kwargs`` with answers of the
        platform, so neither is logged.
        """
        message = kwargs.get("message", "An exception occurred.")
        self.log(f"{message} [{origin(exception)}]", "error")
