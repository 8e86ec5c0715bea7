"""What is handed to a measured process. Imports nothing that would count as its memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

SERVICES = ("reporting", "graph")
PAGE_ROWS = {"reporting": 2000, "graph": 5000}
BATCH_EVENTS = 1000
"""The default of the triggers' `chunk_size`."""
LATEST_MAIL_AGE_MINUTES = 1
"""The default of the triggers' `timedelta`: the latest mail is just old enough to be read."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where the local Microsoft and Sekoia.io listen, and what they want to see."""

    login_url: str
    reporting_url: str
    graph_url: str
    intake_url: str
    ca_file: Path
    tenant_id: str
    client_id: str
    client_secret: str
    intake_key: str

    @property
    def environment(self) -> dict[str, str]:
        """Makes requests trust the site and reach it directly."""
        hosts = "127.0.0.1,localhost"
        return {"REQUESTS_CA_BUNDLE": str(self.ca_file), "NO_PROXY": hosts, "no_proxy": hosts}


@dataclass(frozen=True, slots=True)
class Job:
    """The mail received in [start, end) is to be collected from `service`, one of `SERVICES`, so many times over;
    `folder` holds the state."""

    service: str
    site: Site
    start: datetime
    end: datetime
    folder: Path
    times: int = 1
