"""JSON in and out, keeping whatever Microsoft sends.

orjson does the work. It refuses lone surrogates, which a subject can hold when it was cut in the
middle of a character; those bodies and rows take the standard library's slower way.
"""

import json
from typing import Any

import orjson

from office365_message_trace.model import Fields


def decode(body: bytes) -> Any:
    """The value of a JSON text in UTF-8; raises ValueError if it is none."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            return json.loads(body)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error


def encode(fields: Fields) -> str:
    """``fields`` as JSON on one line, in the order they came in."""
    try:
        return orjson.dumps(fields).decode()
    except TypeError:
        return json.dumps(fields, separators=(",", ":"))


def canonical(fields: Fields) -> bytes:
    """The same bytes for equal ``fields``, whatever their order."""
    try:
        return orjson.dumps(fields, option=orjson.OPT_SORT_KEYS)
    except TypeError:
        return json.dumps(fields, separators=(",", ":"), sort_keys=True).encode()
