"""The Reporting Web Service of the sandbox."""

from sandbox.reporting.options import ReportingOptions
from sandbox.reporting.query import Query, QueryError, parse, parse_instant
from sandbox.reporting.service import ReportingService

__all__ = ["Query", "QueryError", "ReportingOptions", "ReportingService", "parse", "parse_instant"]
