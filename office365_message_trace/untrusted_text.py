"""Sanitizes foreign text, such as error codes, trace ids and claims, before a message quotes it: pure.

Its author may be hostile: a line break forges a log line, an escape sequence takes over a terminal,
half a surrogate pair cannot be stored, and a careless service repeats the secret that it was sent. So
no foreign text reaches a log, a terminal, the activity log or an error tracker except through here.
"""

import re

LONGEST = 200
"""Characters in a quotation."""
LONGEST_LINE = 4000
"""Characters in a whole line, our own words included."""

_CODE = re.compile(r"[A-Za-z]+(?:[._][A-Za-z]+)*|[0-9]{1,9}")
_LONGEST_CODE = 64
_IDENTIFIER = re.compile(r"[0-9A-Za-z-]{1,64}")


def printable(value: object, longest: int = LONGEST) -> str:
    """``value`` as text on one line of at most ``longest`` characters; empty for None.

    Unprintable characters, such as control characters, bidirectional marks and halves of surrogate
    pairs, become U+FFFD.
    """
    text = "" if value is None else value if isinstance(value, str) else str(value)
    if len(text) > longest:
        text = text[: longest - 1] + "\N{HORIZONTAL ELLIPSIS}"
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def code(value: object) -> str:
    """``value`` if it looks like an error code (``invalid_client``, ``Request.Invalid``, ``404``), else
    empty: free text may repeat anything."""
    known = isinstance(value, str) and len(value) <= _LONGEST_CODE and _CODE.fullmatch(value)
    return str(value) if known else ""


def identifier(value: object) -> str:
    """``value`` if it looks like an id (letters, digits and hyphens, such as a GUID), else empty."""
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else ""
