"""The `$skiptoken` of a next link: opaque, encoded twice, good for one query only.

Where the next page begins is known by the time, recipient and id of the row before it (inferred).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from dataclasses import astuple, dataclass
from datetime import datetime
from urllib.parse import unquote_plus, urlsplit

from sandbox.clock import to_ms, to_ms_up

NAME = "$skiptoken"
_ENDING = "%253d"
"""An equals sign, encoded twice (observed): who decodes the link or encodes it again spoils it."""
_KEY = b"skip tokens of the sandbox"
_SEAL_BYTES = 12


class TokenError(Exception):
    """A token that is not the service's own, or not as the service wrote it."""


@dataclass(frozen=True, slots=True)
class SkipToken:
    """What a token says. All times are in milliseconds since 1970."""

    issued_ms: int
    start_ms: int
    end_ms: int
    received_ms: int | None
    """Of the last row before the page; None if none came yet."""
    recipient: str = ""
    id: str = ""
    empty_pages: int = 0
    """How many empty pages before this one were already given."""


def first(start: datetime, end: datetime, now: datetime) -> SkipToken:
    """Where the first page of a window begins; rows have whole milliseconds."""
    return SkipToken(to_ms(now), to_ms_up(start), to_ms(end), None)


def scope_of(options: dict[str, str], tenant_id: str) -> str:
    """What a token goes with: the tenant and every other option of the query."""
    kept = {name: value for name, value in options.items() if name.lower() != NAME}
    return json.dumps([tenant_id, sorted(kept.items())])


def write(token: SkipToken, scope: str) -> str:
    """The token as it stands in a link. `scope` is what it goes with."""
    text = json.dumps(astuple(token), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_seal(text, scope) + text).decode().rstrip("=") + _ENDING


def read(text: str, scope: str) -> SkipToken:
    """What a token says that stands in a request just so; `scope` is what it goes with."""
    bare = text.removesuffix(_ENDING)
    if bare == text or "%" in bare or "=" in bare:
        raise TokenError("The skip token is malformed.")
    try:
        sealed = base64.b64decode(bare + "=" * (-len(bare) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise TokenError("The skip token is malformed.") from None
    seal, content = sealed[:_SEAL_BYTES], sealed[_SEAL_BYTES:]
    if not hmac.compare_digest(seal, _seal(content, scope)):
        raise TokenError("The skip token does not belong to this query.")
    return SkipToken(*json.loads(content))


def split(target: str) -> tuple[str, str | None]:
    """The query of a request's target without the token, and the token, both as they were sent."""
    rest, token = [], None
    for option in filter(None, urlsplit(target).query.split("&")):
        name, _, value = option.partition("=")
        if unquote_plus(name).lower() == NAME:
            token = value
        else:
            rest.append(option)
    return "&".join(rest), token


def _seal(text: bytes, scope: str) -> bytes:
    return hmac.digest(_KEY, hashlib.sha256(scope.encode()).digest() + text, "sha256")[:_SEAL_BYTES]
