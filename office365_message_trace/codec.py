"""JSON in and out, keeping whatever Microsoft sends.

orjson does the work, and defines what a text means. It refuses whole bodies for a single odd value, such
as a subject that was cut in the middle of a character. Those bodies take the standard library's slower
way, which reads all other values in the same way: a row is equal whatever its neighbours are.

What a text may cost in memory is limited, see docs/security.md for the figures.
"""

import json
import math
from codecs import BOM_UTF8
from collections.abc import Sequence
from typing import Any

import orjson

from office365_message_trace.model import Fields

LONGEST = 6 * 1024 * 1024  # bytes of a text; 5000 usual rows of Graph have 2.5 MB
MOST_VALUES = 200_000  # in a text, about; 5000 usual rows have 60,000

_DEEPEST = 254  # levels that orjson writes
_LENIENT_SHARE = 0.5  # of these limits
_SURELY_LIGHT = int(MOST_VALUES * _LENIENT_SHARE)  # bytes: a value takes one at least
_SURELY_FEW = 2 * 1024 * 1024  # bytes: elements take two at least, and 64 in memory
_BESIDE_VALUES = bytes(set(range(256)) - set(b",[{"))  # all but what stands before a value


class Oversized(ValueError):
    """A text is larger than what is decoded."""


def decode(body: bytes) -> Any:
    """The value of a JSON text in UTF-8, with or without a byte order mark; raises ValueError for none.

    Bytes that are not UTF-8 become U+FFFD. Numbers beyond 64 bits become floats; beyond those, they are
    null, as NaN and Infinity are. Of two members of one name the last counts. Raises `Oversized` for what
    would take too much memory.
    """
    share = weight(body) if len(body) > _SURELY_LIGHT else 0.0
    if share > 1:
        raise Oversized("too long, or too many values")
    body = body.removeprefix(BOM_UTF8)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        if share > _LENIENT_SHARE:
            raise Oversized("too long, or too many values, for the slower way") from None
        try:
            value = _LENIENT.decode(body.decode("utf-8", "replace"))
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
    # bytes that are not UTF-8, and control characters, become several
    if len(_dumps(value)) > LONGEST:
        raise Oversized("too long once it is written")
    return value


def can_be_split(body: bytes) -> bool:
    """True if ``body`` is small enough to be split into its elements without decoding them."""
    return len(body) <= _SURELY_FEW or (len(body) <= LONGEST and body.count(b",") < MOST_VALUES)


def weight(body: bytes) -> float:
    """The share of ``body`` in the largest text that is decoded."""
    values = len(body.translate(None, _BESIDE_VALUES))
    return max(len(body) / LONGEST, values / MOST_VALUES)


def encode(fields: Fields) -> str:
    """``fields`` as JSON on one line, in the order they came in; null for what lies deeper than `_DEEPEST`."""
    try:
        return orjson.dumps(fields).decode()
    except TypeError:
        return _dumps(fields)


def on_one_line(text: bytes) -> str:
    """The same JSON text without line breaks, which stand between its values only."""
    return encode(decode(text)) if b"\n" in text or b"\r" in text else text.decode(errors="replace")


def canonical(value: Fields | Sequence[Any]) -> bytes:
    """The same bytes for equal values, whatever the order of their members."""
    try:
        return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return _dumps(value, sort_keys=True).encode()


def shallow(value: Any, levels: int = _DEEPEST) -> Any:
    """``value`` with null for what lies deeper than orjson and the interpreter's stack can hold."""
    if not isinstance(value, dict | list | tuple):
        return value
    if not levels:
        return None
    if isinstance(value, dict):
        return {name: shallow(each, levels - 1) for name, each in value.items()}
    return [shallow(each, levels - 1) for each in value]


def _integer(text: str) -> int | float | None:
    if len(text) <= len("-9223372036854775808") and -(2**63) <= (number := int(text)) < 2**64:
        return number
    return _real(text)


def _real(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


_LENIENT = json.JSONDecoder(
    parse_int=_integer,
    parse_float=_real,
    parse_constant=lambda name: None,
    strict=False,  # control characters in strings
)


def _dumps(value: Any, sort_keys: bool = False) -> str:
    """``value`` as JSON in ASCII, which can hold half a surrogate pair."""
    return json.dumps(shallow(value), separators=(",", ":"), sort_keys=sort_keys)
