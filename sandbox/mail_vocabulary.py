"""What the generated messages say: subjects, names and addresses, the odd ones included."""

from __future__ import annotations

from random import Random

SUBJECT_LIMIT = 256
"""Documented: the summary report keeps the first 256 characters of a subject."""

_OPENINGS = ("Re: ", "RE: ", "FW: ", "TR: ", "", "", "", "[EXTERNAL] ")
_TOPICS = (
    "Quarterly figures",
    "Invoice {n}",
    "Meeting on {n}/11",
    "Your parcel {n} is on its way",
    "Contract n°{n}",
    "Build #{n} passed",
    "Newsletter {n}",
    "PIM: role assignment {n}",
)
_ODD = (
    "Réunion à 14 h — café n°{n}",
    "会議の議事録 {n}",
    "تقرير رقم {n}",
    "Party 🎉👩‍👩‍👧 {n}",
    'He said "yes" {n}',
    "It's {n}",
    "C:\\temp\\{n}\\new",
    "line\u2028separator {n}\u2029",
    "<script>alert({n})</script> & co",
    "tab\tand\nnewline {n}",
    "/Date({n})/",
    '{{"json": [{n}]}}',
    "zero\u200bwidth \u202eright to left {n}",
    "   ",
    "",
)
_LONG = "A long subject with many words and a number {n}: " + "mot très long ☂ " * 20
_NAMES = (
    "ada",
    "alan",
    "barbara",
    "edsger",
    "frances",
    "grace",
    "jean",
    "john",
    "katherine",
    "ken",
    "linus",
    "margaret",
    "o'brien",
    "radia",
    "renée",
    "tim.b+list",
    "ÿvette",
    "first.last",
    "no-reply",
    "support",
)
_OUTSIDE = ("mail.example", "partner.example", "news.example.net", "a.b.c.example.org")


def subject(rng: Random, *, lone_surrogate: bool) -> str | None:
    """One in thirty is null, one in six is odd, one in sixty is longer than the documented cut.

    With `lone_surrogate`, a cut in the middle of a surrogate pair happens too (one in fifty).
    """
    number = rng.randrange(1, 100_000)
    draw = rng.random()
    if draw < 0.033:
        return None
    if lone_surrogate and draw < 0.053:
        return "half an emoji \ud83c"
    if draw < 0.2:
        return rng.choice(_ODD).format(n=number)
    if draw < 0.216:
        return _LONG.format(n=number)[:SUBJECT_LIMIT]
    return rng.choice(_OPENINGS) + rng.choice(_TOPICS).format(n=number)


def outside_address(rng: Random) -> str:
    """A correspondent outside the organisation."""
    return f"{rng.choice(_NAMES)}@{rng.choice(_OUTSIDE)}"


def inside_addresses(rng: Random, domain: str, count: int) -> list[str]:
    """`count` different mailboxes of the organisation, some written with capitals."""
    first = rng.randrange(5000)
    found = []
    for position in range(count):
        name = _NAMES[(first + position) % len(_NAMES)]
        address = f"{name}{(first + position * 7) % 5000 + position * 5000}@{domain}"
        found.append(address.title() if first % 29 == 0 else address)
    return found


def address_v4_or_v6(rng: Random) -> str | None:
    """A documentation address: mostly IPv4, one in eight IPv6, one in twelve null."""
    draw = rng.random()
    if draw < 0.083:
        return None
    if draw < 0.208:
        return f"2001:db8:{rng.getrandbits(16):x}::{rng.getrandbits(16):x}"
    return f"198.51.{rng.randrange(256)}.{rng.randrange(1, 255)}"
