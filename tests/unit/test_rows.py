"""A page is whole or none, and its rows are forwarded however odd they are."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from office365_message_trace import codec
from office365_message_trace.codec import Oversized
from office365_message_trace.errors import Unavailable
from office365_message_trace.microsoft.graph import as_reporting_row
from office365_message_trace.microsoft.rows import (
    GRAPH_ROWS,
    MOST_ROWS,
    REPORTING_ROWS,
    ParsedPage,
    RowFormat,
)
from office365_message_trace.model import UNDATED, Row, instant, milliseconds
from tests.support import NOON

SOON = milliseconds(NOON)
GRAPH = {
    "id": "trace",
    "senderAddress": "s@x.example",
    "recipientAddress": "r@x.example",
    "messageId": "<m@x.example>",
    "receivedDateTime": "2026-06-15T12:00:00Z",
    "subject": "Lunch",
    "size": 7,
    "fromIP": "192.0.2.1",
    "toIP": "",
    "status": "delivered",
}
REPORTING = {
    "__metadata": {"type": "TenantReporting.MessageTrace"},
    "Organization": "x.example",
    "MessageId": "<m@x.example>",
    "Received": f"/Date({SOON})/",
    "SenderAddress": "s@x.example",
    "RecipientAddress": "r@x.example",
    "Subject": "Lunch",
    "Status": "Delivered",
    "ToIP": None,
    "FromIP": "192.0.2.1",
    "Size": 7,
    "MessageTraceId": "trace",
    "StartDate": f"/Date({SOON - 5})/",
    "EndDate": f"/Date({SOON + 5})/",
    "Index": 0,
}
SAMPLES = [
    pytest.param(GRAPH_ROWS, GRAPH, id="graph"),
    pytest.param(REPORTING_ROWS, REPORTING, id="reporting"),
]
samples = pytest.mark.parametrize(("form", "sample"), SAMPLES)


def page(form: RowFormat, *rows: Any, **beside: Any) -> ParsedPage:
    return form.page(json.dumps({"value": list(rows), **beside}).encode())


def read(form: RowFormat, **fields: Any) -> Row:
    """The row of the sample with other ``fields``; an ellipsis leaves one out."""
    sample = GRAPH if form is GRAPH_ROWS else REPORTING
    changed = {n: v for n, v in {**sample, **fields}.items() if v is not ...}
    (row,) = page(form, changed).rows
    return row


def told(row: Row) -> tuple[int, str, str, bytes]:
    return row.received, row.trace_id, row.recipient, row.content


# Pages


@pytest.mark.parametrize(
    "error",
    [
        pytest.param({"error": {"code": "UnknownError", "message": "x"}}, id="error"),
        pytest.param({"error": {}}, id="empty error"),
        pytest.param({"error": "UnknownError"}, id="error as text"),
        pytest.param({"Error": {"code": "x"}}, id="other case"),
        pytest.param({"errors": [{"code": "x"}]}, id="errors"),
        pytest.param({"odata.error": {"code": "x"}}, id="odata.error"),
        pytest.param({"@odata.error": {"code": "x"}}, id="@odata.error"),
        pytest.param({"value@odata.error": {"code": "x"}}, id="of the rows"),
        pytest.param({"ErrorCode": "", "Message": "x"}, id="third shape, empty code"),
        pytest.param({"ErrorCode": "500", "Message": "x"}, id="third shape"),
    ],
)
@samples
def test_an_error_among_rows_makes_no_page(
    form: RowFormat, sample: dict[str, Any], error: dict[str, Any]
) -> None:
    bodies: list[dict[str, Any]] = [
        {"value": [sample], **error},
        {**error, "value": []},
        {"value": [sample, error]},
        {"value": [sample], "d": {"results": [sample], **error}},
    ]
    for body in bodies:
        with pytest.raises(Unavailable):
            form.page(json.dumps(body).encode())


@pytest.mark.parametrize("nothing", [None, False, "", []])
@samples
def test_an_error_member_that_says_nothing_is_no_error(
    form: RowFormat, sample: dict[str, Any], nothing: Any
) -> None:
    assert len(page(form, sample, error=nothing).rows) == 1


@pytest.mark.parametrize(
    "element",
    [
        pytest.param(None, id="null"),
        pytest.param([], id="list"),
        pytest.param("row", id="text"),
        pytest.param(5, id="number"),
        pytest.param({}, id="empty"),
        pytest.param({"Subject": "x", "subject": "x"}, id="nothing that names a row"),
        pytest.param({"code": "UnknownError", "message": "x"}, id="error object"),
        pytest.param({"Received": None, "receivedDateTime": ""}, id="empty time alone"),
        pytest.param({"id": "", "MessageTraceId": None}, id="empty id"),
    ],
)
@samples
def test_an_element_that_is_no_row_makes_no_page(
    form: RowFormat, sample: dict[str, Any], element: Any
) -> None:
    for rows in ([element], [sample, element], [element, sample]):
        with pytest.raises(Unavailable):
            page(form, *rows)


@pytest.mark.parametrize("link", [None, "", " ", "\t\n"])
@samples
def test_an_empty_link_is_none(form: RowFormat, sample: dict[str, Any], link: Any) -> None:
    assert page(form, sample, **{"@odata.nextLink": link}).following is None


@pytest.mark.parametrize("link", [5, True, ["x"], {"uri": "x"}, 0.5])
@samples
def test_a_link_that_is_no_text_makes_no_page(
    form: RowFormat, sample: dict[str, Any], link: Any
) -> None:
    with pytest.raises(Unavailable):
        page(form, sample, **{"@odata.nextLink": link})


@samples
def test_invalid_utf_8_costs_a_character(form: RowFormat, sample: dict[str, Any]) -> None:
    other = json.dumps(sample).encode().replace(b"Lunch", b"L\xffnch")
    body = b'\xef\xbb\xbf{"value":[%s,%s]}' % (json.dumps(sample).encode(), other)
    rows = form.page(body).rows
    assert rows[0].fields == sample
    assert "L\ufffdnch" in rows[1].fields.values()


@samples
def test_invalid_utf_8_beside_the_content_costs_a_character(
    form: RowFormat, sample: dict[str, Any]
) -> None:
    """Also in members that usual rows are not read for."""
    usual = json.dumps(sample, separators=(",", ":")).encode()
    for name in (b"@odata.etag", b"__metadata", b"Index", b"StartDate", b"unknown"):
        told = usual[:-1] + b',"%s":"\xff\xfe"}' % name
        (row,) = form.page(b'{"value":[%s]}' % told).rows
        assert "\ufffd\ufffd" in row.text
        assert form.page(b'{"value":[%s]}' % usual).rows[0].key == row.key


# Times


@pytest.mark.parametrize(
    "received",
    [
        pytest.param(..., id="absent"),
        pytest.param(None, id="null"),
        pytest.param("", id="empty"),
        pytest.param(1658751973240, id="number"),
        pytest.param({}, id="object"),
        pytest.param("yesterday", id="word"),
        pytest.param("2026-02-30T00:00:00Z", id="day that is not"),
        pytest.param("2026-06-30T23:59:60Z", id="leap second"),
        pytest.param("0001-01-01T00:00:00Z", id="zero date"),
        pytest.param("0001-01-01T00:00:00+14:00", id="before the zero date"),
        pytest.param("9999-12-31T23:59:59.9999999Z", id="end of time"),
        pytest.param("9999-12-31T23:59:59-14:00", id="after the end of time"),
        pytest.param("1970-01-01T00:00:00Z", id="1970"),
        pytest.param("/Date(x)/", id="no date"),
        pytest.param("/Date(0)/", id="zero"),
        pytest.param("/Date(-62135596800000)/", id="negative"),
        pytest.param(f"/Date({'9' * 15})/", id="15 digits"),
        pytest.param(f"/Date({'9' * 20})/", id="20 digits"),
        pytest.param(f"/Date({'9' * 5000}+0000)/", id="5000 digits"),
        pytest.param("/Date(١٢٣)/", id="other digits"),
    ],
)
@pytest.mark.parametrize("company", [0, 1])
@samples
def test_a_row_without_a_usable_time_is_forwarded_as_it_is(
    form: RowFormat, sample: dict[str, Any], received: Any, company: int
) -> None:
    name = "receivedDateTime" if form is GRAPH_ROWS else "Received"
    odd = {n: v for n, v in {**sample, name: received}.items() if v is not ...}
    found = page(form, odd, *[sample] * company)
    assert found.undated == 1
    assert [row.received for row in found.rows] == [SOON] * company + [UNDATED]
    fields = found.rows[-1].fields
    assert fields.keys() == odd.keys()
    assert {n for n in fields if fields[n] != odd[n]} <= {"Received"}
    if form is GRAPH_ROWS:
        assert fields == odd
        assert as_reporting_row(found.rows[-1])["Received"] is None


@given(st.text(max_size=20) | st.integers() | st.floats() | st.datetimes().map(str))
def test_no_time_raises(received: Any) -> None:
    for row in (
        read(GRAPH_ROWS, receivedDateTime=received),
        read(REPORTING_ROWS, Received=received),
    ):
        assert row.received >= 0
        instant(row.received)


@pytest.mark.parametrize(
    "text",
    [
        "/Date({})/",
        "/Date({}+0000)/",
        "/Date({}-0000)/",
        "/Date({}+0200)/",
        "2026-06-15T12:00:00",
        "2026-06-15T12:00:00Z",
        "2026-06-15t12:00:00.0000999z",
    ],
)
@pytest.mark.parametrize("odd", [("Received", "StartDate", "EndDate"), ("StartDate", "EndDate")])
def test_all_dates_are_forwarded_in_the_form_that_the_platform_reads(
    text: str, odd: tuple[str, ...]
) -> None:
    if "Received" not in odd and text[0] != "/":
        pytest.skip("a form of which all dates are text")
    dates = dict.fromkeys(("Received", "StartDate", "EndDate"), f"/Date({SOON})/")
    (row,) = REPORTING_ROWS.page(
        written(
            REPORTING_ROWS, slashed({**REPORTING, **dates, **dict.fromkeys(odd, text.format(SOON))})
        )
    ).rows
    assert row.received == SOON
    assert row.fields == {**REPORTING, **dates}
    assert json.loads(row.text) == row.fields
    assert told(row) == told(read(REPORTING_ROWS))


@pytest.mark.parametrize(
    "text",
    [
        "2026-06-15T12:00:00z",
        "2026-06-15t12:00:00Z",
        "2026-06-15 12:00:00Z",
        "2026-06-15T12:00:00",
        "2026-06-15T14:00:00+02:00",
        f"/Date({SOON})/",
        f"/Date({SOON}+0000)/",
        f"/Date({SOON}-0500)/",
    ],
)
@pytest.mark.parametrize("company", [0, 1])
def test_all_dates_of_graph_are_forwarded_in_its_usual_form(text: str, company: int) -> None:
    rows = page(GRAPH_ROWS, {**GRAPH, "receivedDateTime": text}, *[GRAPH] * company).rows
    assert [row.received for row in rows] == [SOON] * (1 + company)
    assert rows[0].fields == json.loads(rows[0].text) == GRAPH
    assert told(rows[0]) == told(read(GRAPH_ROWS))


@pytest.mark.parametrize(
    ("text", "usual"),
    [
        ("2026-06-15t12:00:00.1234567z", "2026-06-15T12:00:00.1234567Z"),
        (f"/Date({SOON + 120})/", "2026-06-15T12:00:00.120Z"),
        ("2026-06-15T12:00:00.1234567+00:00", "2026-06-15T12:00:00.123Z"),
    ],
)
def test_dates_of_graph_keep_their_milliseconds(text: str, usual: str) -> None:
    row = read(GRAPH_ROWS, receivedDateTime=text)
    assert row.fields["receivedDateTime"] == usual
    assert told(row) == told(read(GRAPH_ROWS, receivedDateTime=usual))


def test_a_light_row_with_an_odd_date_that_repeats_the_query_is_forwarded() -> None:
    row = read(REPORTING_ROWS, Received="2026-06-15T12:00:00.0000999", EndDate="x", StartDate=None)
    assert row.received == SOON
    assert row.fields["Received"] == f"/Date({SOON})/"
    assert (row.fields["StartDate"], row.fields["EndDate"]) == (None, "x")


# What a row is and says


@samples
def test_a_row_is_forwarded_as_it_came(form: RowFormat, sample: dict[str, Any]) -> None:
    sample = {"@odata.etag": "1", **sample, "new": [None, ""]}
    (row,) = page(form, sample).rows
    assert list(row.fields.items()) == list(sample.items())


@pytest.mark.parametrize(
    "volatile",
    [
        {"@odata.etag": "W/1"},
        {"odata.etag": "W/1"},
        {"@odata.id": "x", "odata.type": "y"},
        {"status@odata.type": "#String"},
        {"new": None},
        {"new": ""},
    ],
)
@samples
def test_annotations_and_empty_fields_are_no_content(
    form: RowFormat, sample: dict[str, Any], volatile: dict[str, Any]
) -> None:
    assert read(form, **volatile).content == read(form).content


@pytest.mark.parametrize("empty", [None, "", ...], ids=["null", "empty", "absent"])
@pytest.mark.parametrize("which", [0, 1, 2])
@samples
def test_null_empty_and_absent_are_equal(
    form: RowFormat, sample: dict[str, Any], which: int, empty: Any
) -> None:
    names = {
        GRAPH_ROWS: ("toIP", "fromIP", "subject"),
        REPORTING_ROWS: ("ToIP", "FromIP", "Subject"),
    }
    name = names[form][which]
    assert read(form, **{name: empty}).content == read(form, **{name: None}).content
    assert read(form, **{name: "x"}).content != read(form, **{name: None}).content


@pytest.mark.parametrize("value", [0, False, [], {}, 0.0, "0"])
@samples
def test_what_is_said_counts(form: RowFormat, sample: dict[str, Any], value: Any) -> None:
    for name in ("new", "toIP", "ToIP", "size", "Subject"):
        assert read(form, **{name: value}).content != read(form, **{name: None}).content


def test_repetitions_of_the_query_are_no_content() -> None:
    echo = {"__metadata": {}, "Index": 9, "StartDate": "/Date(9)/", "EndDate": "/Date(9)/"}
    assert read(REPORTING_ROWS, **echo).content == read(REPORTING_ROWS).content
    assert read(GRAPH_ROWS, Index=9).content != read(GRAPH_ROWS).content


@given(st.permutations(list(REPORTING)), st.permutations(list(GRAPH)))
def test_order_of_fields_makes_no_other_row(reporting: list[str], graph: list[str]) -> None:
    for form, sample, names in (
        (REPORTING_ROWS, REPORTING, reporting),
        (GRAPH_ROWS, GRAPH, graph),
    ):
        (row,) = page(form, {name: sample[name] for name in names}).rows
        assert told(row) == told(read(form))


def written(form: RowFormat, *rows: bytes) -> bytes:
    """A page as the service writes it."""
    page = b'{"value":[%s]}' % b",".join(rows)
    return page if form is GRAPH_ROWS else b'{"d":{"results":[%s]}}' % b",".join(rows)


def slashed(row: dict[str, Any]) -> bytes:
    """The same JSON in an escape that is allowed and not needed."""
    return json.dumps(row, separators=(",", ":")).replace("/", "\\/").encode()


SPELLINGS = [
    pytest.param(lambda row: json.dumps(row).encode(), id="spaced"),
    pytest.param(lambda row: json.dumps(dict(reversed(row.items()))).encode(), id="turned"),
    pytest.param(slashed, id="escaped"),
    pytest.param(lambda row: json.dumps({**row, "subject": "Д"}).encode(), id="escaped letters"),
    pytest.param(
        lambda row: json.dumps({**row, "Subject": "Д"}, ensure_ascii=False).encode(), id="UTF-8"
    ),
]


@pytest.mark.parametrize("spelling", SPELLINGS)
@samples
def test_a_usual_row_is_forwarded_byte_by_byte(
    form: RowFormat, sample: dict[str, Any], spelling: Any
) -> None:
    subject = "subject" if form is GRAPH_ROWS else "Subject"
    allowed = sample | {subject: "x"}
    text = spelling(allowed)
    if set(json.loads(text)) != set(sample):
        pytest.skip("a member of the other service")
    neighbour = spelling({**allowed, form.names.trace_id: "other"})
    rows = form.page(written(form, text, neighbour)).rows
    assert [row.text.encode() for row in rows] == [text, neighbour]


@samples
def test_a_page_with_line_breaks_is_forwarded_as_rows_of_one_line(
    form: RowFormat, sample: dict[str, Any]
) -> None:
    for text in (json.dumps(sample, indent=2), json.dumps(sample, indent=2).replace("\n", "\r\n")):
        (row,) = form.page(written(form, text.encode())).rows
        assert json.loads(row.text) == sample
        assert not {"\n", "\r"} & set(row.text)


@pytest.mark.parametrize("unusual", [False, True])
@samples
def test_a_row_alone_says_the_same_and_keeps_no_page(
    form: RowFormat, sample: dict[str, Any], unusual: bool
) -> None:
    page = [
        {**sample, form.names.trace_id: str(n), **({"new": 1} if unusual else {})} for n in "12"
    ]
    first, second = form.page(written(form, *(json.dumps(row).encode() for row in page))).rows
    alone = second.alone
    assert (alone.source is first.source, alone.place) == (False, 0)
    assert alone[:4] == second[:4]
    assert (alone.text, alone.fields, alone.key) == (second.text, second.fields, second.key)
    assert (alone.content, alone.identity) == (second.content, second.identity)


@samples
def test_the_form_of_a_usual_row_is_what_it_says_in_whatever_spelling(
    form: RowFormat, sample: dict[str, Any]
) -> None:
    texts = [
        json.dumps(sample).encode(),
        json.dumps(dict(reversed(sample.items())), indent=1).encode(),
        slashed({**sample, **dict.fromkeys(form.echo[1:], "9"), "@odata.etag": "W/1"}),
    ]
    assert len({form.page(written(form, text)).rows[0].form for text in texts}) == 1


@samples
def test_each_documented_value_makes_another_form(form: RowFormat, sample: dict[str, Any]) -> None:
    forms = {read(form).form}
    for name in set(form.documented) - {form.names.received}:
        value = 8 if name == form.names.size else "changed"
        forms.add(read(form, **{name: value}).form)
    assert len(forms) == len(form.documented)


_TEXTS = st.none() | st.text(st.characters(codec="utf-8"), max_size=9)


@given(st.data())
@samples
def test_a_usual_row_says_the_same_beside_an_unusual_one(
    form: RowFormat, sample: dict[str, Any], data: st.DataObject
) -> None:
    drawn: dict[str, Any] = {
        name: data.draw(_TEXTS) for name in form.documented if name != form.names.received
    }
    drawn[form.names.size] = data.draw(st.none() | st.integers(-(2**40), 2**40))
    text = json.dumps({**sample, **drawn}).encode()
    unusual = json.dumps({**sample, "new": 1}).encode()
    alone = form.page(written(form, text)).rows[0]
    beside = form.page(written(form, text, unusual)).rows[0]
    assert told(alone) == told(beside)
    assert (alone.key, alone.identity) == (beside.key, beside.identity)
    assert alone.fields == beside.fields == json.loads(alone.text) == json.loads(beside.text)


def test_pages_of_very_many_elements_are_over_the_limit_before_they_are_cut() -> None:
    with pytest.raises(Oversized):
        GRAPH_ROWS.page(b'{"value":[' + b"1," * (2 * 1024 * 1024) + b"1]}")


_FEW_NAMES = st.sampled_from(["id", "status", "Status", "toIP", "Index", "a", "b", "@odata.etag"])
_FEW_VALUES = st.sampled_from([None, "", "a", "b", "\ud800", 1, 1.0, [], {"a": 1, "b": ""}, ["a"]])
_FEW_FIELDS = st.dictionaries(_FEW_NAMES, _FEW_VALUES)


@given(_FEW_FIELDS, _FEW_FIELDS)
def test_contents_are_equal_if_what_is_said_is(one: dict[str, Any], other: dict[str, Any]) -> None:
    for form in (GRAPH_ROWS, REPORTING_ROWS):
        contents = {form.row(SOON, fields).content for fields in (one, other)}
        said = {codec.canonical(form.said(fields)) for fields in (one, other)}
        assert len(contents) == len(said)


def test_the_bytes_of_a_content_stay_as_they_are_because_others_would_repeat_all_rows() -> None:
    assert read(GRAPH_ROWS, new={"b": 1, "a": 2}, big=1).content == (
        b'["trace","s@x.example","r@x.example","<m@x.example>",%d,"Lunch",7,'
        b'"192.0.2.1",null,"delivered","big",1,"new",{"a":2,"b":1}]' % SOON
    )
    assert read(REPORTING_ROWS).content == (
        b'["x.example","<m@x.example>",%d,"s@x.example","r@x.example","Lunch","Delivered",'
        b'null,"192.0.2.1",7,"trace"]' % SOON
    )


@pytest.mark.parametrize("company", [False, True], ids=["alone", "beside an odd row"])
@pytest.mark.parametrize("named", [True, False], ids=["named", "without a trace id"])
def test_an_instant_is_the_same_content_in_whatever_form(company: bool, named: bool) -> None:
    forms = (
        *("2026-06-15T12:00:00Z", "2026-06-15T12:00:00.0000000Z", "2026-06-15T14:00:00.0004+02:00"),
        *("2026-06-15T12:00:00z", "2026-06-15T12:00:00", f"/Date({SOON})/"),
    )
    told = GRAPH if named else GRAPH | {"id": ""}
    others = [GRAPH | {"receivedDateTime": None}] if company else []
    rows = [
        GRAPH_ROWS.page(
            codec.encode({"value": [told | {"receivedDateTime": text}, *others]}).encode()
        ).rows[0]
        for text in forms
    ]
    assert len({row.content for row in rows}) == 1
    assert len({row.key for row in rows}) == 1
    assert len({row.alone.content for row in rows}) == 1


@pytest.mark.parametrize("name", ["subject", "Subject"])
@samples
def test_a_deeply_nested_value_is_content(
    form: RowFormat, sample: dict[str, Any], name: str
) -> None:
    value: Any = "end"
    for _ in range(900):
        value = [value]
    assert read(form, **{name: value}).content != read(form).content


def test_the_key_is_receive_time_trace_id_and_recipient_without_case() -> None:
    same = [
        read(GRAPH_ROWS),
        read(GRAPH_ROWS, status="failed", recipientAddress="R@X.example"),
        read(GRAPH_ROWS, receivedDateTime="2026-06-15T12:00:00.0004"),
    ]
    other = [
        read(GRAPH_ROWS, id="other"),
        read(GRAPH_ROWS, recipientAddress="t@x.example"),
        read(GRAPH_ROWS, receivedDateTime="2026-06-15T12:00:00.001"),
    ]
    assert len({row.key for row in same}) == 1
    assert len({row.key for row in same + other}) == 1 + len(other)


@pytest.mark.parametrize("odd", [..., None, "", 5, ["r"], {"a": 1}])
@pytest.mark.parametrize("which", [0, 1], ids=["trace id", "recipient"])
@samples
def test_a_row_that_is_not_named_is_identified_by_what_it_says_and_does_not_change(
    form: RowFormat, sample: dict[str, Any], which: int, odd: Any
) -> None:
    name = (form.names.trace_id, form.names.recipient)[which]
    one, other = (read(form, **{name: odd, "new": number}) for number in (1, 2))
    assert one.key != other.key
    changed = read(form, **{name: odd, "new": 1} | dict.fromkeys(form.changing, "changed"))
    assert changed.key == one.key
    assert changed.content != one.content
    assert isinstance(one.trace_id, str)


@pytest.mark.parametrize("text", ["\ud800", "x\udfff", "\x00", "é"])
@samples
def test_any_text_can_be_a_name(form: RowFormat, sample: dict[str, Any], text: str) -> None:
    row = read(form, **{form.names.trace_id: text, form.names.recipient: text})
    assert row.trace_id == text
    assert (
        row.key == read(form, **{form.names.trace_id: text, form.names.recipient: text.upper()}).key
    )


def test_a_status_of_another_type_is_forwarded_in_either_form() -> None:
    for status in (5, ["delivered"], {"a": 1}):
        row = read(GRAPH_ROWS, status=status)
        assert as_reporting_row(row)["Status"] == status
        assert json.loads(codec.encode(as_reporting_row(row)))["Status"] == status
    assert as_reporting_row(read(GRAPH_ROWS, status=None))["Status"] == ""


def test_a_page_of_more_rows_than_are_taken_in_is_over_the_limit() -> None:
    elements = b",".join([b'{"id":"1"}'] * MOST_ROWS)
    assert len(GRAPH_ROWS.page(b'{"value":[' + elements + b"]}").rows) == MOST_ROWS
    with pytest.raises(Oversized):
        GRAPH_ROWS.page(b'{"value":[' + elements + b',{"id":"1"}]}')


@pytest.mark.parametrize("levels", [2, 254, 900, 1000, 1023, 10_000])
def test_a_body_in_a_body_in_a_body_is_no_page(levels: int) -> None:
    for form in (GRAPH_ROWS, REPORTING_ROWS):
        with pytest.raises(Unavailable):
            form.page(b'{"d":' * levels + b"{}" + b"}" * levels)
