"""The intake formats of Sekoia.io's catalogue that parse message traces.

Names and uuids: github.com/SEKOIA-IO/intake-formats, folders ``Office 365/message-trace*``.
"""

from dataclasses import dataclass
from typing import Literal

EventFormat = Literal["graph", "reporting"]
"""The shape of events: rows as Microsoft Graph gives them, or as the Reporting Web Service does."""


@dataclass(frozen=True, slots=True)
class IntakeFormat:
    """A format by its exact name and its uuid in the catalogue.

    ``deprecated`` is the day since when the catalogue says so, or empty.
    """

    name: str
    uuid: str
    deprecated: str = ""


CATALOGUE: dict[EventFormat, IntakeFormat] = {
    "graph": IntakeFormat(
        "Microsoft 365 Message Trace (Graph API)", "a3617bc2-090f-44f6-aeb2-1c6088e24878"
    ),
    "reporting": IntakeFormat(
        "Microsoft 365 Message Trace", "8461aabe-6eba-4044-ad7f-a0c39a2b2279", "2026-03-23"
    ),
}
"""The format for each shape. Its parser reads no field of the other shape, not even the time
(tried with the parsers of that repository)."""

INTAKE_FORMATS: dict[EventFormat, str] = {shape: each.name for shape, each in CATALOGUE.items()}
"""Their names."""
