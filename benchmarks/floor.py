"""The least that the work can cost: fetch and parse the pages, serialise and post the rows.

Nothing is checked, remembered or retried. Imports only what the work needs.
"""

from __future__ import annotations

import gzip
import os

import orjson
import requests

from benchmarks.job import BATCH_EVENTS, Job
from benchmarks.measure import Usage, measured

_PATH = "/ecp/reportingwebservice/reporting.svc/MessageTrace"
_GZIP_LEVEL = 1  # the product's
_TIMEOUT = (10, 120)  # seconds, the product's


def forward(job: Job) -> Usage:
    """Forward the job's mail in one pass over all of its pages."""
    os.environ.update(job.site.environment)
    return measured(lambda: _forward(job))


def _forward(job: Job) -> None:
    session = requests.Session()
    start, end = (instant.replace(tzinfo=None).isoformat() for instant in (job.start, job.end))
    condition = f"StartDate eq datetime'{start}Z' and EndDate eq datetime'{end}Z'"
    url: str | None = f"{job.site.reporting_url}{_PATH}?$format=json&$filter={condition}"
    while url:
        page = orjson.loads(session.get(url, timeout=_TIMEOUT).content)["d"]
        events = [orjson.dumps(row).decode() for row in page["results"]]
        for first in range(0, len(events), BATCH_EVENTS):
            _post(session, job, events[first : first + BATCH_EVENTS])
        url = page.get("__next")


def _post(session: requests.Session, job: Job, events: list[str]) -> None:
    body = orjson.dumps({"intake_key": job.site.intake_key, "jsons": events})
    answer = session.post(
        job.site.intake_url + "/batch",
        data=gzip.compress(body, _GZIP_LEVEL, mtime=0),
        headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
        timeout=_TIMEOUT,
    )
    answer.raise_for_status()
