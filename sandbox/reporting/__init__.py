"""The Reporting Web Service of the sandbox."""

from sandbox.reporting.options import ReportingOptions
from sandbox.reporting.service import ReportingService

__all__ = ["ReportingOptions", "ReportingService"]
