"""JSON in and out, keeping whatever Microsoft sends.

orjson does the work, and defines what a text means. It refuses whole bodies for a single odd value, such
as a subject that was cut in the middle of a character. Those bodies take the standard library's slower
way, which reads all other values in the same way: a row is equal whatever its neighbours are.
"""

import json
import math
from codecs import BOM_UTF8
from typing import Any

import orjson

from office365_message_trace.model import Fields

_DEEPEST = 100  # levels of a row that are written


def decode(body: bytes) -> Any:
    """The value of a JSON text in UTF-8, with or without a byte order mark; raises ValueError for none.

    Bytes that are not UTF-8 become U+FFFD. Numbers beyond 64 bits become floats; beyond those, they are
    null, as NaN and Infinity are. Of two members of one name the last counts.
    """
    body = body.removeprefix(BOM_UTF8)
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            return _LENIENT.decode(body.decode("utf-8", "replace"))
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def encode(fields: Fields) -> str:
    """``fields`` as JSON on one line, in the order they came in; null for what lies deeper than `_DEEPEST`."""
    try:
        return orjson.dumps(fields).decode()
    except TypeError:
        return json.dumps(_shallow(fields), separators=(",", ":"))


def canonical(fields: Fields) -> bytes:
    """The same bytes for equal ``fields``, whatever their order."""
    try:
        return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(_shallow(fields), separators=(",", ":"), sort_keys=True).encode()


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


def _shallow(value: Any, levels: int = _DEEPEST) -> Any:
    """``value`` without what orjson and the interpreter's stack cannot hold."""
    if not isinstance(value, dict | list):
        return value
    if not levels:
        return None
    if isinstance(value, dict):
        return {name: _shallow(each, levels - 1) for name, each in value.items()}
    return [_shallow(each, levels - 1) for each in value]
