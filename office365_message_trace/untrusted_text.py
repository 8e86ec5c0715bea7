"""Text that others wrote, such as error codes, trace ids and claims, before a sentence quotes it: pure.

Whoever writes it may mean harm: a line break forges a line of the log, an escape sequence takes over a
terminal, half a surrogate pair cannot be stored, and a careless service repeats the secret that it was
sent. So a log, a terminal, the activity log and an error tracker get nothing that has not passed here.
"""

import re

LONGEST = 200
"""Characters of a quotation."""
LONGEST_LINE = 4000
"""Characters of a whole line, our own words included."""

_CODE = re.compile(r"[A-Za-z]+(?:[._][A-Za-z]+)*|[0-9]{1,9}")
_LONGEST_CODE = 64
_IDENTIFIER = re.compile(r"[0-9A-Za-z-]{1,64}")


def printable(value: object, most: int = LONGEST) -> str:
    """``value`` as text on one line of ``most`` characters at most; empty for None.

    What is not printable, such as control characters, marks that turn the direction of writing and
    halves of surrogate pairs, becomes U+FFFD.
    """
    text = "" if value is None else value if isinstance(value, str) else str(value)
    if len(text) > most:
        text = text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in text)


def code(value: object) -> str:
    """``value`` if it looks like an error code (``invalid_client``, ``Request.Invalid``, ``404``), else
    empty: a text in its place may repeat anything."""
    known = isinstance(value, str) and len(value) <= _LONGEST_CODE and _CODE.fullmatch(value)
    return str(value) if known else ""


def identifier(value: object) -> str:
    """``value`` if it looks like an id (letters, digits and hyphens, such as a GUID), else empty."""
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else ""
