"""The intake formats of Sekoia.io's catalogue that parse message traces."""

from typing import Literal

EventFormat = Literal["graph", "reporting"]
"""The shape of events: rows as Microsoft Graph gives them, or as the Reporting Web Service does."""

INTAKE_FORMATS: dict[EventFormat, str] = {
    "graph": "Microsoft 365 Message Trace (Graph API)",
    "reporting": "Microsoft 365 Message Trace",
}
"""The name of the format for each shape. Its parser reads no field of the other shape, not even the time
(tried with the parsers of github.com/SEKOIA-IO/intake-formats)."""
