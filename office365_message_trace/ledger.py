"""What the intake has accepted already, as far back as anything may still be read again.

Fingerprints lie in buckets by receive time, one small blob each, plain 16-byte records one after
another. A bucket is in memory only while a page needs it. Damage can only make a row look new: it
costs a repeat, never a loss.

The hash is keyed, so that nobody can test a guessed address or subject against the stored state of
another trigger. The key is the name of the folder: neither can get lost without the other.
"""

import re
import secrets
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b

from office365_message_trace.model import MILLISECOND, Row, Window, instant, milliseconds
from office365_message_trace.storage import Storage

FINGERPRINT_BYTES = 16
BUCKET_SPAN = timedelta(minutes=15)

_FOLDER = "ledger"
_KEY = re.compile(r"[0-9a-f]{32}")
_BUCKET_MILLISECONDS = BUCKET_SPAN // MILLISECOND
_FIRST_BUCKET = 1
_LAST_BUCKET = milliseconds(datetime(9999, 1, 1, tzinfo=UTC)) // _BUCKET_MILLISECONDS


class Ledger:
    """The record of accepted rows in ``storage``; opening it lists the buckets once."""

    def __init__(self, storage: Storage) -> None:
        self._storage = storage
        keys = [name for name in storage.names(_FOLDER) if _KEY.fullmatch(name)]
        self._key = bytes.fromhex(keys[0]) if keys else secrets.token_bytes(FINGERPRINT_BYTES)
        self._folder = f"{_FOLDER}/{self._key.hex()}"
        self._known = {int(name) for name in storage.names(self._folder) if name.isdigit()}
        self._loaded: dict[int, _Bucket] = {}

    @property
    def buckets(self) -> list[Window]:
        """The receive times of which something is recorded, oldest first, but for absurd ones."""
        return [_span(number) for number in sorted(self._known) if number > _FIRST_BUCKET]

    def unseen(self, rows: Iterable[Row]) -> dict[bytes, Row]:
        """Those ``rows`` that are not recorded, by fingerprint, each content once."""
        by_bucket: defaultdict[int, dict[bytes, Row]] = defaultdict(dict)
        for row in rows:
            number = _number(row.received)
            fingerprint = blake2b(
                row.content, digest_size=FINGERPRINT_BYTES, key=self._key
            ).digest()
            by_bucket[number].setdefault(fingerprint, row)
        self._loaded = {number: self._bucket(number) for number in by_bucket}
        return {
            fingerprint: row
            for number, candidates in by_bucket.items()
            for fingerprint, row in candidates.items()
            if fingerprint not in self._loaded[number].fingerprints
        }

    def record(self, accepted: Iterable[tuple[int, bytes]]) -> None:
        """Record receive times (milliseconds) and fingerprints; durable when it returns.

        After `StorageFailed` it may be called again with the same.
        """
        by_bucket: defaultdict[int, list[bytes]] = defaultdict(list)
        for received, fingerprint in accepted:
            by_bucket[_number(received)].append(fingerprint)
        for number, fingerprints in by_bucket.items():
            bucket = self._bucket(number)
            fresh = [each for each in fingerprints if each not in bucket.fingerprints]
            self._storage.extend(self._name(number), bytes(bucket.blob), b"".join(fresh))
            bucket.add(fresh)
            self._known.add(number)
            self._loaded[number] = bucket

    def forget(self, needed: Callable[[Window], bool]) -> None:
        """Remove the buckets whose time is no longer ``needed``, nor next to any that is.

        Services may return a little more than the window that was asked for. Rows with absurd or no
        times may come in any window, so their bucket stays.
        """
        for number in [
            n for n in self._known if n > _FIRST_BUCKET and not needed(_surroundings(n))
        ]:
            self._storage.delete(self._name(number))
            self._known.discard(number)
            self._loaded.pop(number, None)

    def _bucket(self, number: int) -> "_Bucket":
        if number in self._loaded:
            return self._loaded[number]
        blob = self._storage.read(self._name(number)) if number in self._known else None
        return _Bucket(blob or b"")

    def _name(self, number: int) -> str:
        return f"{self._folder}/{number}"


class _Bucket:
    """One bucket in memory; a torn last record is left out, and overwritten by the next."""

    def __init__(self, blob: bytes) -> None:
        whole = len(blob) - len(blob) % FINGERPRINT_BYTES
        self.blob = bytearray(blob[:whole])
        self.fingerprints = {
            blob[at : at + FINGERPRINT_BYTES] for at in range(0, whole, FINGERPRINT_BYTES)
        }

    def add(self, fingerprints: list[bytes]) -> None:
        self.blob += b"".join(fingerprints)
        self.fingerprints.update(fingerprints)


def _number(received: int) -> int:
    """The bucket of a receive time; absurd times (such as .NET's zero date) share the outermost."""
    return min(max(received // _BUCKET_MILLISECONDS, _FIRST_BUCKET), _LAST_BUCKET)


def _span(number: int) -> Window:
    return Window(
        instant(number * _BUCKET_MILLISECONDS),
        instant((number + 1) * _BUCKET_MILLISECONDS),
    )


def _surroundings(number: int) -> Window:
    return Window(_span(number - 1).start, _span(number + 1).end)
