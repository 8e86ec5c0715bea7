"""CPU time of each stage of the product, for one page and without the network."""

from __future__ import annotations

import gzip
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import orjson

from benchmarks.job import PAGE_ROWS
from benchmarks.mail import END, Mail, numbers, start_of
from office365_message_trace import packing
from office365_message_trace.collect.ledger import FINGERPRINT_BYTES, Ledger
from office365_message_trace.microsoft.rows import GRAPH_ROWS, REPORTING_ROWS
from office365_message_trace.storage.folder import FolderStorage

_TIMES = 15
_Result = TypeVar("_Result")


def stages(service: str) -> dict[str, float]:
    """Microseconds a row of each stage by its name, the least of several measurements."""
    rows = PAGE_ROWS[service]
    start = start_of(rows)
    rendered = Mail(service).render(numbers(start, END)[:rows], 0, start, END)
    row_format = GRAPH_ROWS if service == "graph" else REPORTING_ROWS
    name = b"value" if service == "graph" else b"results"
    body = b'{"%b":[%b]}' % (name, rendered)
    body = body if service == "graph" else b'{"d":%b}' % body
    packed = gzip.compress(body)
    told: dict[str, float] = {}

    def timed(stage: str, work: Callable[[], _Result]) -> _Result:
        least = float("inf")
        for _ in range(_TIMES):
            began = time.process_time()
            result = work()
            least = min(least, time.process_time() - began)
        told[stage] = least * 1_000_000 / rows
        return result

    with TemporaryDirectory() as folder:
        timed("unpack a page", lambda: packing.unpacker().decompress(packed))
        page = timed("read it", lambda: row_format.page(body)).rows
        timed("contents", lambda: sum(len(row.content) for row in page))
        timed("keys", lambda: sum(len(row.key) for row in page))
        ledger = Ledger(FolderStorage(Path(folder)))
        ledger.record([(0, bytes(FINGERPRINT_BYTES))])  # the first one makes the folder
        unseen = timed("compare new rows", lambda: ledger.unseen(page))
        began = time.process_time()
        ledger.record([(row.received, fingerprint) for fingerprint, row in unseen.items()])
        told["record them"] = (time.process_time() - began) * 1_000_000 / rows
        timed("look known rows up", lambda: ledger.unseen(page))
        texts = timed("texts", lambda: [row.text for row in row_format.page(body).rows])
        told["texts"] -= told["read it"]
        batch = timed("batch", lambda: orjson.dumps({"intake_key": "", "jsons": texts}))
        timed("pack it", lambda: packing.packed(batch))
    return told
