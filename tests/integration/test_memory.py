"""Memory stays within the figure of docs/architecture.md with the heaviest pages that are taken in."""

from __future__ import annotations

import gzip
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from office365_message_trace import codec
from office365_message_trace.microsoft.graph import PATH

START = datetime(2026, 6, 15, 12, 0, tzinfo=UTC)
SPAN = timedelta(minutes=1)
ROWS = 10_000
STEP = SPAN / ROWS
MOST_MEMORY = 240  # MiB
ROOT = Path(__file__).parents[2]


class Services(ThreadingHTTPServer):
    """Microsoft Graph with `ROWS` rows in `SPAN`, newest first, and an intake that takes all."""

    def __init__(self, fields: Callable[[int], bytes], rows: int = 0) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.fields = fields  # the last ones of a row, by its number
        self.rows = rows  # on a page, whatever is asked for
        self.received: Counter[str] = Counter()
        self.tops: list[int] = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def page(self, query: dict[str, list[str]]) -> bytes:
        start, end = map(datetime.fromisoformat, re.findall(r"[gl]e (\S+)", query["$filter"][0]))
        self.tops.append(int(query["$top"][0]))
        top = self.rows or self.tops[-1]
        first = max(-((START - start) // STEP), 0)
        numbers = range(min((end - START) // STEP, ROWS - 1), first - 1, -1)
        found = [n for n in numbers if start <= START + n * STEP <= end]
        skipped = int(query.get("$skiptoken", ["0"])[0])
        here, behind = found[skipped:][:top], found[skipped + top :]
        link = urlencode({**query, "$skiptoken": skipped + top}, doseq=True)
        more = f',"@odata.nextLink":"{self.url}{PATH}?{link}"' if behind else ""
        return b'{"value":[%s]%s}' % (b",".join(map(self.row, here)), more.encode())

    def row(self, number: int) -> bytes:
        at = (START + number * STEP).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        name = b"00000000-0000-4000-8000-%012d" % number
        return (
            b'{"id":"%s","receivedDateTime":"%s","recipientAddress":"someone@fabrikam.example",'
            b'"senderAddress":"someone@contoso.example","messageId":"<%s@contoso.example>",'
            b'"size":1,"fromIP":"10.0.0.1","toIP":"","status":"delivered",%s}'
            % (name, at.encode(), name, self.fields(number))
        )


class Handler(BaseHTTPRequestHandler):
    """Answers for `Services`."""

    server: Services
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self._answer(self.server.page(parse_qs(urlsplit(self.path).query)))

    def do_POST(self) -> None:
        body = gzip.decompress(self.rfile.read(int(self.headers["Content-Length"])))
        names = [json.loads(each)["id"] for each in json.loads(body)["jsons"]]
        self.server.received.update(names)
        self._answer(json.dumps({"event_ids": names}).encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def handle_one_request(self) -> None:
        with suppress(ConnectionError):  # a page over the limit is not read to its end
            super().handle_one_request()

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture
def services(request: pytest.FixtureRequest) -> Iterator[Services]:
    server = Services(*request.param)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


EMOJI = "\U0001f600".encode()
PAGE = 1940  # rows whose fields are as many as are taken in, with `LEVELS` objects in each
LEVELS = codec.MOST_VALUES // PAGE - 12
PADDING = b"a" * (codec.LONGEST // codec.MOST_VALUES - 17)


def subject(text: bytes) -> Callable[[int], bytes]:
    """The same subject in each row."""
    return lambda number: b'"subject":"%s"' % text


def nested(number: int) -> bytes:
    """Objects in each other, all names of which differ and take much memory."""
    names = range(number * LEVELS, (number + 1) * LEVELS)
    opened = b"".join(b'{"%s%05x%s":' % (EMOJI, name, PADDING) for name in names)
    return b'"more":%s0%s' % (opened, b"}" * LEVELS)


@pytest.mark.parametrize(
    ("services", "smaller"),
    [
        pytest.param((subject(b"A subject as usual"),), False, id="usual subjects"),
        pytest.param((subject(b"\\u0434" * 1900),), True, id="1900 escaped characters"),
        pytest.param((subject(EMOJI + 1899 * b"a"),), True, id="1900 characters with an emoji"),
        pytest.param((subject(EMOJI + 850 * b"a"),), False, id="pages of just the limit"),
        pytest.param((subject(EMOJI + 270 * b"a"), 9900), False, id="pages of twice as many rows"),
        pytest.param((nested, PAGE), False, id="pages of just as many values"),
    ],
    indirect=["services"],
)
def test_rows_on_the_heaviest_pages_all_arrive_once_and_in_bounded_memory(
    services: Services, smaller: bool, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "tests.integration.heavy_mail", services.url, services.url]
    command += [START.isoformat(), str(tmp_path)]
    ended = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=True
    )
    assert set(services.received.values()) == {1}
    assert len(services.received) == ROWS
    assert (min(services.tops) < 5000) is smaller
    assert int(ended.stdout) < MOST_MEMORY
    assert "error" not in ended.stderr
