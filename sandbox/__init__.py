"""A local Microsoft 365 and a local Sekoia to run the module against. Not part of the image."""

from sandbox.certificates import KeyPair
from sandbox.clock import Clock, wall_clock
from sandbox.comparison import Report, check, delays
from sandbox.entra import App, Entra
from sandbox.entra_errors import EntraError
from sandbox.event_formats import REPORTING, ConvertedForm, Form, GraphForm
from sandbox.faults import (
    Answer,
    Delay,
    Drip,
    Drop,
    Fault,
    FaultPlan,
    Hang,
    LoseAnswer,
    OtherDate,
    Rule,
    Truncate,
    html_page,
)
from sandbox.graph import GraphOptions, GraphService
from sandbox.identity import Identity
from sandbox.intake import Accepted, Intake, IntakeOptions
from sandbox.mailflow import Burst, MailFlow, MailFlowOptions
from sandbox.playbook import Playbook
from sandbox.reporting import ReportingOptions, ReportingService
from sandbox.request_log import Entry, RequestLog
from sandbox.rows import Content, Row, Version, make_row
from sandbox.tenant import Tenant
from sandbox.workload import Federated, Issuer, project
from sandbox.world import Sandbox, SandboxOptions

__all__ = [
    "REPORTING",
    "Accepted",
    "Answer",
    "App",
    "Burst",
    "Clock",
    "Content",
    "ConvertedForm",
    "Delay",
    "Drip",
    "Drop",
    "Entra",
    "EntraError",
    "Entry",
    "Fault",
    "FaultPlan",
    "Federated",
    "Form",
    "GraphForm",
    "GraphOptions",
    "GraphService",
    "Hang",
    "Identity",
    "Intake",
    "IntakeOptions",
    "Issuer",
    "KeyPair",
    "LoseAnswer",
    "MailFlow",
    "MailFlowOptions",
    "OtherDate",
    "Playbook",
    "Report",
    "ReportingOptions",
    "ReportingService",
    "RequestLog",
    "Row",
    "Rule",
    "Sandbox",
    "SandboxOptions",
    "Tenant",
    "Truncate",
    "Version",
    "check",
    "delays",
    "html_page",
    "make_row",
    "project",
    "wall_clock",
]
