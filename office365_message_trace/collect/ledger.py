"""What the intake said last of each row, as far back as anything may still be read again.

A fingerprint is a hash of the row's key and one of its content, 8 bytes each. Of several records of a
key the latest counts: a row whose content goes back to an earlier one is new again. Fingerprints lie in
buckets by receive time: plain 16-byte records one after another, in parts of a bounded size, so that a
storage without append never rewrites much. A bucket is in memory only while pages need it, as the bytes
that it is. Damage costs a repeat. It hides a row only if a record of it is destroyed and its content then
goes back to the one recorded before.

Where the intake refused an event, a record has the receive time in milliseconds in place of the content's
hash. It lies in the bucket's own 15 minutes; a hash does so with a chance of 900,000 in 2^64. An event of
that key is owed until the next record of the key. What was accepted last stays known.

A mark beside the buckets, an empty blob whose name is an instant, tells where to begin if the rest of the
trigger's state is lost.

The hash is keyed, so that nobody can test a guessed address or subject against the stored state of
another trigger. The key is the name of the folder: neither can get lost without the other.
"""

import re
import secrets
import struct
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from itertools import chain, islice
from operator import itemgetter

from office365_message_trace.collect.monitor import Monitor
from office365_message_trace.model import MILLISECOND, Row, Window, instant, milliseconds
from office365_message_trace.storage.base import Damage, SizedStorage, Storage

FINGERPRINT_BYTES = 16
BUCKET_SPAN = timedelta(minutes=15)
PART_BYTES = 16384 * FINGERPRINT_BYTES
KEPT_FOR = timedelta(hours=90)
"""Age behind the newest bucket up to which all are kept, whatever the look-back is now: a quarter more than
the longest that can be set. A look-back that is shortened and lengthened again repeats nothing."""

MOST_PARTS = 64
"""The largest bucket of rows with absurd or no times, which never get old: a million rows."""

_WORD = "Q"  # of `array`: 8 bytes, half a fingerprint
_HASH_BYTES = FINGERPRINT_BYTES // 2
# of buckets that are kept for the next page; a larger one stays too
_LOADED_BYTES = 8 * 1024 * 1024
# No longer than what is written: other names are no part of it, however large the numbers in them.
_PART = re.compile(r"([0-9]{1,9})(?:\.([0-9]{1,3}))?")
_MARK = re.compile(r"since-([0-9]{1,14})")
_fingerprint = struct.Struct(2 * _WORD).pack  # of a key and a content
_FOLDER = "ledger"
_KEY = re.compile(r"[0-9a-f]{32}")
_FORMS_BYTES = 16 * 1024 * 1024  # of known forms: a million rows
_SHELF_BYTES = 400  # what a minute of them takes beside them
_MINUTE = timedelta(minutes=1) // MILLISECOND
_BUCKET_MILLISECONDS = BUCKET_SPAN // MILLISECOND
_CONTENT = itemgetter(1)  # of a record
_FIRST_BUCKET = 1
_LAST_BUCKET = milliseconds(datetime(9999, 1, 1, tzinfo=UTC)) // _BUCKET_MILLISECONDS


class Unseen(dict[bytes, Row]):
    """Rows that the intake has not accepted in this form, by fingerprint.

    ``changed`` has the fingerprints of those that it accepted before with another content, ``owed`` of those of which
    it has refused an event since. ``reverted`` has the receive times and fingerprints of rows that are shown as they
    were accepted, although a change was refused since. Recording them again says that this change is owed no longer.
    """

    def __init__(self) -> None:
        super().__init__()
        self.changed: set[bytes] = set()
        self.owed: set[bytes] = set()
        self.reverted: list[tuple[int, bytes]] = []


class Ledger:
    """The record of accepted and refused rows in ``storage``; opening it lists the buckets once.

    ``monitor`` gets a report when a part that is read back has a torn end, which the next record replaces.
    """

    def __init__(self, storage: Storage, monitor: Monitor | None = None) -> None:
        self._storage = storage
        self._monitor = monitor or Monitor()
        keys = [name for name in storage.names(_FOLDER) if _KEY.fullmatch(name)]
        key = bytes.fromhex(keys[0]) if keys else secrets.token_bytes(FINGERPRINT_BYTES)
        self._keyed = blake2b(digest_size=_HASH_BYTES, key=key)
        self._folder = f"{_FOLDER}/{key.hex()}"
        names = storage.names(self._folder)
        self._marks = sorted(int(mark[1]) for mark in map(_MARK.fullmatch, names) if mark)
        self._parts: dict[int, int] = {}  # of each bucket that is stored
        for match in filter(None, map(_PART.fullmatch, names)):
            number, part = int(match[1]), int(match[2] or 0)
            if number <= _LAST_BUCKET:
                self._parts[number] = max(self._parts.get(number, 0), part + 1)
        self._loaded: dict[int, _Bucket] = {}  # the one used last comes last
        self._forms = _Forms()
        self._sent: dict[bytes, tuple[int, int]] = {}
        """Forms and keys by fingerprint, of the rows that the last page had unseen."""

    @property
    def buckets(self) -> list[Window]:
        """The receive times of which something is recorded, oldest first, but for absurd ones."""
        return [_span(number) for number in sorted(self._parts) if number > _FIRST_BUCKET]

    def unseen(self, page: Iterable[Row]) -> Unseen:
        """Those rows of a ``page`` whose content is not the one that was accepted last, each once.

        Rows of one key that differ on the same page are different rows: as many of the latest records
        of the key are compared. A row whose form is known is not compared, unless another form of its key is on
        the page.
        """
        rows = list(page)
        unseen = Unseen()
        self._sent = {}
        known = self._forms.known(rows)
        by_bucket: defaultdict[int, list[Row]] = defaultdict(list)
        for row in [row for row in rows if row.form not in known] if known else rows:
            by_bucket[_number(row.received)].append(row)
        for number, listed in by_bucket.items():
            bucket = self._bucket(number)
            shown = self._by_content(listed)
            keys = self._keys(shown, bucket)
            akin = known.intersection(self._forms.forget(keys, shown.values()))
            if akin:
                shown |= self._by_content([row for row in rows if row.form in akin])
                keys = self._keys(shown, bucket)
            self._compare(number, keys, shown, unseen)
        self._spare_memory()
        return unseen

    def _compare(
        self, number: int, keys: list[int], shown: Mapping[int, Row], unseen: Unseen
    ) -> None:
        """Add to ``unseen`` those rows ``shown``, by their contents and with these ``keys``, that the bucket of this
        ``number`` does not have as the latest ones; the forms of the others are known from now on.
        """
        numbers = Counter(keys)
        accepted = self._bucket(number).records_of(numbers.keys())
        refusals = _times(number)
        owed: set[int] = set()
        if any(map(refusals.__contains__, map(_CONTENT, accepted))):
            owed = {key for key, content in dict(accepted).items() if content in refusals}
            accepted = [record for record in accepted if record[1] not in refusals]
        latest = dict(accepted)
        several = len(numbers) < len(keys)
        if not accepted and not several:
            fingerprints = list(map(_fingerprint, keys, shown))
            unseen.update(zip(fingerprints, shown.values(), strict=True))
            if owed:
                shown_keys = zip(fingerprints, keys, strict=True)
                unseen.owed.update(each for each, key in shown_keys if key in owed)
            forms = [row.form for row in shown.values()]
            self._sent.update(zip(fingerprints, zip(forms, keys, strict=True), strict=True))
            return
        current = _latest_of_several(numbers, accepted) if several else latest.items()
        still: list[tuple[int, int, Row]] = []
        for key, (content, row) in zip(keys, shown.items(), strict=True):
            if (key, content) in current:
                still.append((key, content, row))
                continue
            fingerprint = _fingerprint(key, content)
            unseen[fingerprint] = row
            if key in owed:
                unseen.owed.add(fingerprint)
                owed.discard(key)
            if key in latest:
                unseen.changed.add(fingerprint)
            if not several or numbers[key] == 1:
                self._sent[fingerprint] = row.form, key
        for key, content, row in still:
            if key in owed:
                unseen.reverted.append((row.received, _fingerprint(key, content)))
            elif not several or numbers[key] == 1:
                self._forms.add(row.received, row.form, key)

    def _by_content(self, rows: Sequence[Row]) -> dict[int, Row]:
        return dict(zip(self._hashes(row.content for row in rows), rows, strict=True))

    def _keys(self, shown: Mapping[int, Row], bucket: "_Bucket") -> list[int]:
        """The hashed keys of rows by their contents; those that are recorded need no hashing."""
        known = bucket.keys_of(set(shown))
        unknown = [content for content in shown if content not in known]
        hashes = self._hashes(shown[content].key for content in unknown)
        known.update(zip(unknown, hashes, strict=True))
        return list(map(known.__getitem__, shown))

    def _hashes(self, texts: Iterable[bytes]) -> "array[int]":
        copy, digests = self._keyed.copy, []
        for text in texts:
            hashed = copy()
            hashed.update(text)
            digests.append(hashed.digest())
        return array(_WORD, b"".join(digests))

    def record(self, accepted: Iterable[tuple[int, bytes]]) -> None:
        """Record receive times (milliseconds) and fingerprints; durable when it returns.

        After `StorageFailed` it may be called again with the same.
        """
        by_bucket: defaultdict[int, list[bytes]] = defaultdict(list)
        accepted = list(accepted)
        for received, fingerprint in accepted:
            by_bucket[_number(received)].append(fingerprint)
        for number, fingerprints in by_bucket.items():
            bucket = self._bucket(number)
            for part, known, added in bucket.room_for(b"".join(fingerprints)):
                self._storage.extend(self._name(number, part), known, added)
                bucket.put(part, known + added)
                self._parts[number] = part + 1
        for received, fingerprint in accepted:
            if sent := self._sent.pop(fingerprint, None):
                self._forms.add(received, *sent)
        self._forms.spare_memory()

    def record_refused(self, refused: Iterable[tuple[int, bytes]]) -> int:
        """Record that the intake refused events of these receive times and fingerprints; durable when it
        returns. What is on record already is not recorded again, and rows with absurd or no times are not.
        Returns how many rows were recorded, which are those that were not owed before.
        """
        newly_owed = 0
        by_bucket: defaultdict[int, dict[int, int]] = defaultdict(dict)
        for received, fingerprint in refused:
            by_bucket[_number(received)][array(_WORD, fingerprint)[0]] = received
        for number, times in by_bucket.items():
            latest = dict(self._bucket(number).records_of(times.keys()))
            owed = [
                (received, _fingerprint(key, received))
                for key, received in times.items()
                if received in _times(number) and latest.get(key) != received
            ]
            self.record(owed)
            newly_owed += len(owed)
        return newly_owed

    def refused(self, window: Window) -> list[int]:
        """The receive times in ``window``, without its end, of the rows that are owed: the intake has refused
        an event of them, and accepted none since. One for each row, in milliseconds.

        A row of the millisecond at the end may be shown by the next window only: services know finer times.
        """
        first, end = milliseconds(window.start), milliseconds(window.end)
        asked, numbers = range(first, end), range(_number(first), _number(end) + 1)
        times: list[int] = []
        for number in sorted(filter(numbers.__contains__, self._parts)):
            bucket = self._bucket(number)
            refusals = _times(number)
            keys = {key for key, content in bucket.records() if content in refusals}
            latest = dict(bucket.records_of(keys)).values()
            times += [each for each in latest if each in refusals and each in asked]
        self._spare_memory()
        return times

    @property
    def since(self) -> datetime | None:
        """From where on anything may still be read, as it was marked; None if it never was."""
        return instant(self._marks[0]) if self._marks else None

    def mark(self, since: datetime) -> None:
        """Mark that nothing before ``since`` is to be read any more; durable when it returns."""
        mark, before = milliseconds(since), self._marks
        if before != [mark]:
            self._storage.write(f"{self._folder}/since-{mark}", b"")
            self._marks = [mark]
        for old in before:
            if old != mark:
                self._storage.delete(f"{self._folder}/since-{old}")

    def forget(self, needed: Callable[[Window], bool], now: datetime) -> None:
        """Remove the buckets whose time is no longer ``needed``, nor next to any that is, and that are
        more than `KEPT_FOR` older than ``now`` and than the newest one.

        A clock may be ahead, and so may the date of an odd row. Services may return a little more than the window that
        was asked for. Rows with absurd or no times may come in any window, so their buckets stay as long as they are
        not larger than `MOST_PARTS`; then they are removed, which may repeat such rows.
        """
        newest = max((n for n in self._parts if n < _LAST_BUCKET), default=0)
        young = min(newest, _number(milliseconds(now))) - KEPT_FOR // BUCKET_SPAN

        def is_old(number: int) -> bool:
            if number in (_FIRST_BUCKET, _LAST_BUCKET):
                return self._parts[number] > MOST_PARTS
            return number < young and not needed(_surroundings(number))

        for number in list(filter(is_old, self._parts)):
            for part in reversed(range(self._parts[number])):
                self._storage.delete(self._name(number, part))
            del self._parts[number]
            self._loaded.pop(number, None)

    def _bucket(self, number: int) -> "_Bucket":
        bucket = self._loaded.pop(number, None) or self._read(number)
        self._loaded[number] = bucket
        return bucket

    def _read(self, number: int) -> "_Bucket":
        names = [self._name(number, part) for part in range(self._parts.get(number, 0))]
        parts = [self._storage.read(name) or b"" for name in names]
        if any(len(each) % FINGERPRINT_BYTES for each in parts):
            self._monitor.repaired(Damage.RECORD)
        return _Bucket(parts)

    def _spare_memory(self) -> None:
        self._forms.spare_memory()
        excess = sum(bucket.size for bucket in self._loaded.values()) - _LOADED_BYTES
        for number in list(self._loaded)[:-1]:
            if excess <= 0:
                break
            excess -= self._loaded.pop(number).size

    def _name(self, number: int, part: int) -> str:
        return f"{self._folder}/{number}" + (f".{part}" if part else "")


class _Bucket:
    """One bucket in memory; a torn record at the end of a part is left out."""

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = [part[: len(part) - len(part) % FINGERPRINT_BYTES] for part in parts]

    @property
    def size(self) -> int:
        """In bytes."""
        return sum(map(len, self._parts))

    def records(self) -> Iterator[tuple[int, int]]:
        """The key and the content of each record, oldest first."""
        return chain.from_iterable(zip(*halves, strict=True) for halves in self._halves())

    def records_of(self, keys: Set[int]) -> list[tuple[int, int]]:
        """The same of the ``keys`` only."""
        return [
            record
            for recorded, contents in self._halves()
            if not keys.isdisjoint(recorded)  # which is quick
            for record in zip(recorded, contents, strict=True)
            if record[0] in keys
        ]

    def keys_of(self, contents: Set[int]) -> dict[int, int]:
        """The key of each record of one of the ``contents``."""
        return {
            content: key
            for keys, recorded in self._halves()
            if not contents.isdisjoint(recorded)
            for key, content in zip(keys, recorded, strict=True)
            if content in contents
        }

    def _halves(self) -> Iterator[tuple["array[int]", "array[int]"]]:
        for part in self._parts:
            words = array(_WORD, part)
            yield words[::2], words[1::2]

    def room_for(self, added: bytes) -> Iterator[tuple[int, bytes, bytes]]:
        """Where to put ``added``: number of the part, what it holds, and what to put behind that."""
        number = max(len(self._parts) - 1, 0)
        while added:
            known = self._parts[number] if number < len(self._parts) else b""
            room = PART_BYTES - len(known)
            if room > 0:
                yield number, known, added[:room]
                added = added[room:]
            number += 1

    def put(self, number: int, part: bytes) -> None:
        """Make ``part`` what is held there; the next new part has the next number."""
        self._parts[number:] = [part]


class _Forms:
    """The forms of rows that are on record as they are, with the keys of the rows; in memory only.

    A page of rows in known forms needs no content, no key and no bucket. One form of a key is known at most, and none
    once the key is compared again: a row that goes to another content and back is new each time.
    """

    def __init__(self) -> None:
        self._shelves: dict[int, tuple[array[int], array[int]]] = {}  # by minute of receive time
        self._size = 0

    def known(self, rows: Sequence[Row]) -> set[int]:
        """The forms of ``rows`` that are known."""
        if not rows or not self._shelves:
            return set()
        received = [row.received for row in rows]
        minutes = range(min(received) // _MINUTE, max(received) // _MINUTE + 1)
        shelves = map(self._shelves.__getitem__, filter(minutes.__contains__, self._shelves))
        shown = {row.form for row in rows}
        return shown.intersection(chain.from_iterable(forms for forms, _ in shelves))

    def add(self, received: int, form: int, key: int) -> None:
        """Know the ``form`` of a row of this ``key``, of which none is known."""
        minute = received // _MINUTE
        shelf = self._shelves.get(minute)
        if shelf is None:
            shelf = self._shelves[minute] = array("q"), array(_WORD)
            self._size += _SHELF_BYTES
        shelf[0].append(form)
        shelf[1].append(key)
        self._size += FINGERPRINT_BYTES

    def forget(self, keys: Iterable[int], rows: Iterable[Row]) -> list[int]:
        """Know the forms of the ``keys`` of these ``rows`` no longer; returns those that were known."""
        if not self._shelves:
            return []
        by_minute: defaultdict[int, set[int]] = defaultdict(set)
        for key, row in zip(keys, rows, strict=True):
            by_minute[row.received // _MINUTE].add(key)
        forgotten: list[int] = []
        for minute in self._shelves.keys() & by_minute.keys():
            forms, known = self._shelves[minute]
            if by_minute[minute].isdisjoint(known):
                continue
            self._drop(minute)
            for form, key in zip(forms, known, strict=True):
                if key in by_minute[minute]:
                    forgotten.append(form)
                else:
                    self.add(minute * _MINUTE, form, key)
        return forgotten

    def spare_memory(self) -> None:
        """Keep `_FORMS_BYTES` at most: what was received first is read again the most rarely."""
        while self._size > _FORMS_BYTES:
            self._drop(min(self._shelves))

    def _drop(self, minute: int) -> None:
        forms, _ = self._shelves.pop(minute)
        self._size -= _SHELF_BYTES + FINGERPRINT_BYTES * len(forms)


def key_of(fingerprint: bytes) -> bytes:
    """The hash of a row's key in its ``fingerprint``: the same whatever its content is."""
    return fingerprint[:_HASH_BYTES]


def stored_volume(storage: SizedStorage) -> tuple[int, int]:
    """How many rows the ledger in ``storage`` holds, in how many buckets; no record of it is read."""
    buckets: set[str] = set()
    rows = 0
    for key in filter(_KEY.fullmatch, storage.names(_FOLDER)):
        for name, size in storage.sizes(f"{_FOLDER}/{key}").items():
            if match := _PART.fullmatch(name):
                buckets.add(match[1])
                rows += size // FINGERPRINT_BYTES
    return len(buckets), rows


def _latest_of_several(
    numbers: Mapping[int, int], records: Iterable[tuple[int, int]]
) -> set[tuple[int, int]]:
    """The latest different ``records`` of each key, as many as its one of the ``numbers``."""
    in_order: dict[int, dict[int, None]] = {key: {} for key in numbers}
    for key, content in records:
        in_order[key].pop(content, None)
        in_order[key][content] = None
    return {
        (key, content)
        for key, contents in in_order.items()
        for content in islice(reversed(contents), numbers[key])
    }


def _number(received: int) -> int:
    """The bucket of a receive time; absurd times (such as .NET's zero date) share the outermost."""
    number = received // _BUCKET_MILLISECONDS
    if _FIRST_BUCKET < number < _LAST_BUCKET:
        return number
    return _LAST_BUCKET if number > _FIRST_BUCKET else _FIRST_BUCKET


def _times(number: int) -> range:
    """The receive times of a bucket, in milliseconds; the outermost ones have none of their own."""
    if number in (_FIRST_BUCKET, _LAST_BUCKET):
        return range(0)
    return range(number * _BUCKET_MILLISECONDS, (number + 1) * _BUCKET_MILLISECONDS)


def _span(number: int) -> Window:
    return Window(
        instant(number * _BUCKET_MILLISECONDS),
        instant((number + 1) * _BUCKET_MILLISECONDS),
    )


def _surroundings(number: int) -> Window:
    return Window(_span(number - 1).start, _span(number + 1).end)
