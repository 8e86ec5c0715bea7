"""What cannot be told apart by a reader is read alike, and one odd value costs no other row."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace import codec

ODD_NEIGHBOURS = [
    pytest.param(b'"\\ud800"', id="half a surrogate pair"),
    pytest.param(b'"\xff\xfe"', id="bytes that are not UTF-8"),
    pytest.param(b'"\xed\xa0\x80"', id="a surrogate in UTF-8"),
    pytest.param(b'"a\tb\nc"', id="control characters"),
    pytest.param(b"NaN", id="not a number"),
    pytest.param(b"[Infinity,-Infinity]", id="infinity"),
    pytest.param(b"1e999", id="a float beyond all bounds"),
    pytest.param(b"9" * 5000, id="an endless number"),
]


@pytest.mark.parametrize("odd", ODD_NEIGHBOURS)
@given(
    st.dictionaries(
        st.text(max_size=5),
        st.none()
        | st.booleans()
        | st.integers(-(2**70), 2**70)
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(max_size=9),
        max_size=6,
    )
)
def test_a_row_reads_the_same_beside_an_odd_one(odd: bytes, fields: dict[str, Any]) -> None:
    text = json.dumps(fields).encode()
    alone = codec.decode(text)
    beside, neighbour = codec.decode(b'[%s,{"odd":%s}]' % (text, odd))
    assert beside == alone
    assert codec.canonical(beside) == codec.canonical(alone)
    for each in (beside, neighbour):
        assert json.loads(codec.encode(each), parse_constant=pytest.fail) == each


@pytest.mark.parametrize(
    ("body", "value"),
    [
        pytest.param(b'\xef\xbb\xbf{"a":1}', {"a": 1}, id="byte order mark"),
        pytest.param(b'\xef\xbb\xbf{"a":"\\ud800"}', {"a": "\ud800"}, id="mark and surrogate"),
        pytest.param(b'{"a":"x\xffy"}', {"a": "x\ufffdy"}, id="invalid byte"),
        pytest.param(b'{"a":1,"a":2}', {"a": 2}, id="duplicate name"),
        pytest.param(b'{"a":1,"b":NaN,"a":2}', {"a": 2, "b": None}, id="duplicate name, slow way"),
        pytest.param(b"[NaN,Infinity,1e999,-1e999]", [None] * 4, id="no finite number"),
        pytest.param(
            b"[18446744073709551615,-9223372036854775808]", [2**64 - 1, -(2**63)], id="64 bits"
        ),
        pytest.param(b"[18446744073709551616]", [2.0**64], id="more than 64 bits"),
        pytest.param(b"[18446744073709551616,NaN]", [2.0**64, None], id="more, slow way"),
    ],
)
def test_odd_texts_have_one_value(body: bytes, value: Any) -> None:
    decoded = codec.decode(body)
    assert decoded == value
    assert repr(decoded) == repr(value)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b'{"a":', id="cut"),
        pytest.param(b"{}{}", id="more than one"),
        pytest.param(b"[" * 100_000 + b"]" * 100_000, id="endless nesting"),
        pytest.param('{"a":1}'.encode("utf-16"), id="UTF-16"),
        pytest.param(b'{"a":"\xc3"', id="cut and not UTF-8"),
    ],
)
def test_what_is_not_json_is_a_value_error(body: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|char|nested|value|Unterminated|Expecting"):
        codec.decode(body)


@pytest.mark.parametrize("depth", [50, 99, 100, 300, 900, 1020])
def test_whatever_can_be_read_can_be_written(depth: int) -> None:
    body = b'{"a":' + b"[" * depth + b"1" + b"]" * depth + b"}"
    fields = codec.decode(body)
    assert json.loads(codec.encode(fields)).keys() == {"a"}
    assert codec.canonical(fields) == codec.canonical(codec.decode(body))
    if depth < 100:
        assert codec.encode(fields).encode() == body


@given(st.dictionaries(st.text(max_size=4), st.text(max_size=4) | st.integers(), max_size=6))
def test_order_makes_no_other_content(fields: dict[str, Any]) -> None:
    turned = dict(reversed(fields.items()))
    assert codec.canonical(turned) == codec.canonical(fields)
    assert json.loads(codec.encode(turned)) == fields


# Limits


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b'"' + b"a" * codec.LONGEST + b'"', id="long"),
        pytest.param(b"[" + b"{}," * codec.MOST_VALUES + b"{}]", id="many objects"),
        pytest.param(b"[" + b"[]," * codec.MOST_VALUES + b"[]]", id="many lists"),
        pytest.param(b"[" + b"1," * codec.MOST_VALUES + b"1]", id="many numbers"),
        pytest.param(
            b'["\\ud800"' + b",1" * (codec.MOST_VALUES // 2) + b"]", id="many, read slowly"
        ),
        pytest.param(b'["\\ud800","' + b"a" * (codec.LONGEST // 2) + b'"]', id="long, read slowly"),
        pytest.param(b'"' + b"\x01" * (codec.LONGEST // 3) + b'"', id="long once it is written"),
        pytest.param(b'"' + b"\xff" * (codec.LONGEST // 3 + 9) + b'"', id="long in UTF-8"),
        pytest.param(b'["\\ud800","' + "й".encode() * (codec.LONGEST // 5) + b'"]', id="in ASCII"),
    ],
)
def test_what_would_take_too_much_memory_is_not_decoded(body: bytes) -> None:
    with pytest.raises(codec.Oversized):
        codec.decode(body)


@pytest.mark.parametrize(
    "number",
    [b"9" * 3_000_000, b"-" + b"1" * 3_000_000, b"1e" + b"9" * 3_000_000, b"0." + b"0" * 3_000_000],
    ids=["integer", "negative", "exponent", "fraction"],
)
def test_a_number_of_millions_of_digits_is_a_number_or_null(number: bytes) -> None:
    assert codec.decode(b'{"days":' + number + b"}")["days"] in (None, 0.0)


@pytest.mark.parametrize("neighbour", [b"1", b'"\\ud800"', b"NaN"], ids=["usual", "half", "NaN"])
@pytest.mark.parametrize("depth", [100, 252, 253, 254, 500])
def test_how_deep_a_value_is_kept_does_not_depend_on_its_neighbours(
    depth: int, neighbour: bytes
) -> None:
    deep = b"[" * depth + b"1" + b"]" * depth
    kept = codec.decode(b'{"a":' + deep + b',"b":' + neighbour + b"}")["a"]
    assert kept == codec.decode(b'{"a":' + deep + b',"b":1}')["a"]
    assert (codec.encode({"a": kept}) == '{"a":' + deep.decode() + "}") is (depth <= 253)
