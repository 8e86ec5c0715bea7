"""The least that the work can cost: fetch and parse the pages, serialise and post the rows.

Nothing is checked, remembered or retried. Imports only what the work needs. There are two: of the means that most
programs use, and of the quickest ones that are known.
"""

from __future__ import annotations

import gzip
import os
from abc import ABC, abstractmethod
from typing import Any

import msgspec
import orjson
import requests
from isal import isal_zlib

from benchmarks.job import BATCH_EVENTS, PAGE_ROWS, Job
from benchmarks.measure import Usage, measured

_PATHS = {
    "reporting": "/ecp/reportingwebservice/reporting.svc/MessageTrace",
    "graph": "/v1.0/admin/exchange/tracing/messageTraces",
}
_GZIP_LEVEL = 1  # the product's
_GZIP = 31  # the kind of stream, as zlib numbers them
_TIMEOUT = (10, 120)  # seconds, the product's


def forward(job: Job) -> list[Usage]:
    """Forward the job's mail in one pass over all of its pages, by the usual means: orjson and zlib."""
    os.environ.update(job.site.environment)
    return [measured(lambda: _forward(job, _Usual()))]


def forward_quickly(job: Job) -> list[Usage]:
    """The same by quicker ones: rows are cut out of the page by msgspec, and ISA-L packs and unpacks."""
    os.environ.update(job.site.environment)
    return [measured(lambda: _forward(job, _Quick(job.service)))]


class _Means(ABC):
    @abstractmethod
    def page(self, answer: requests.Response) -> tuple[list[str], str | None]:
        """The rows and the next link."""

    @abstractmethod
    def packed(self, body: bytes) -> bytes:
        """The same in gzip."""


class _Usual(_Means):
    def page(self, answer: requests.Response) -> tuple[list[str], str | None]:
        page = orjson.loads(answer.content)
        page = page.get("d", page)
        rows = page["results"] if "results" in page else page["value"]
        link = page.get("__next") or page.get("@odata.nextLink")
        return [orjson.dumps(row).decode() for row in rows], link

    def packed(self, body: bytes) -> bytes:
        return gzip.compress(body, _GZIP_LEVEL, mtime=0)


class _Quick(_Means):
    def __init__(self, service: str) -> None:
        rows: Any = list[msgspec.Raw]
        page = dict[str, rows | str]
        kind = page if service == "graph" else dict[str, page]
        self._decode = msgspec.json.Decoder(kind).decode

    def page(self, answer: requests.Response) -> tuple[list[str], str | None]:
        body = isal_zlib.decompress(answer.raw.read(decode_content=False), _GZIP)
        page: Any = self._decode(body)
        page = page.get("d", page)
        rows = page["results"] if "results" in page else page["value"]
        return [str(row, "utf-8") for row in rows], page.get("__next") or page.get(
            "@odata.nextLink"
        )

    def packed(self, body: bytes) -> bytes:
        return isal_zlib.compress(body, _GZIP_LEVEL, _GZIP)


def _forward(job: Job, means: _Means) -> None:
    session = requests.Session()
    session.headers["Accept-Encoding"] = "gzip"
    url: str | None = _url(job)
    while url:
        with session.get(url, timeout=_TIMEOUT, stream=True) as answer:
            events, url = means.page(answer)
        for first in range(0, len(events), BATCH_EVENTS):
            _post(session, job, means, events[first : first + BATCH_EVENTS])


def _url(job: Job) -> str:
    start, end = (
        instant.replace(tzinfo=None).isoformat() + "Z" for instant in (job.start, job.end)
    )
    if job.service == "graph":
        condition = f"receivedDateTime ge {start} and receivedDateTime le {end}"
        options = f"$filter={condition}&$top={PAGE_ROWS['graph']}"
        return f"{job.site.graph_url}{_PATHS['graph']}?{options}"
    condition = f"StartDate eq datetime'{start}' and EndDate eq datetime'{end}'"
    return f"{job.site.reporting_url}{_PATHS['reporting']}?$format=json&$filter={condition}"


def _post(session: requests.Session, job: Job, means: _Means, events: list[str]) -> None:
    body = orjson.dumps({"intake_key": job.site.intake_key, "jsons": events})
    answer = session.post(
        job.site.intake_url + "/batch",
        data=means.packed(body),
        headers={"Content-Type": "application/json", "Content-Encoding": "gzip"},
        timeout=_TIMEOUT,
    )
    answer.raise_for_status()
