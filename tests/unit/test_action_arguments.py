"""Manifests and models of the actions say the same; impossible arguments are refused with all mistakes at once."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from office365_message_trace import playbook_actions
from office365_message_trace.actions.arguments import (
    Arguments,
    DetailsArguments,
    RecipientsArguments,
    SearchArguments,
    TimedArguments,
)
from office365_message_trace.errors import ImpossibleArguments
from office365_message_trace.playbook_actions import MessageTraceAction
from tests.support import NOON

ROOT = Path(__file__).parents[2]
ACTIONS: dict[str, type[MessageTraceAction]] = {
    name: getattr(playbook_actions, action)
    for action, name in re.findall(
        r'module\.register\((\w+Action), "(\w+)"\)', (ROOT / "main.py").read_text()
    )
}
GUID = "4451a062-48cb-e80d-e8c0-196330437ae6"
actions = pytest.mark.parametrize("name", ACTIONS)


def manifest(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads((ROOT / f"action_{name}.json").read_text())
    return loaded


def without_words(schema: dict[str, Any]) -> dict[str, Any]:
    """A schema apart from titles and descriptions."""
    return {
        key: without_words(value) if isinstance(value, dict) else value
        for key, value in schema.items()
        if key not in ("title", "description") or not isinstance(value, str)
    }


def kind(annotation: Any) -> dict[str, Any]:
    """The schema of a value of that kind."""
    if get_origin(annotation) is Literal:
        return {"type": "string", "enum": list(get_args(annotation))}
    if get_origin(annotation) is list:
        (item,) = get_args(annotation)
        item = get_args(item)[0] if hasattr(item, "__metadata__") else item
        return {"type": "array", "items": kind(item)}
    return {"type": "integer" if annotation is int else "string"}


def as_argument(field: FieldInfo) -> dict[str, Any]:
    """What a manifest has to say about ``field``, apart from its words."""
    said = kind(field.annotation)
    if not field.is_required() and field.default not in (None, []):
        said["default"] = field.default
    for constraint in field.metadata:
        for name, word in (("ge", "minimum"), ("le", "maximum")):
            if hasattr(constraint, name):
                said[word] = getattr(constraint, name)
    return said


@actions
def test_a_manifest_and_its_model_have_the_same_arguments(name: str) -> None:
    said, model = manifest(name)["arguments"], ACTIONS[name].arguments_model
    fields = model.model_fields
    assert without_words(said["properties"]) == {n: as_argument(f) for n, f in fields.items()}
    assert said["required"] == [n for n, field in fields.items() if field.is_required()]


def result_schema(model: type[BaseModel]) -> dict[str, Any]:
    """What a manifest has to say about the fields of ``model``, apart from its words."""
    schema = model.model_json_schema()

    def plain(part: Any) -> Any:
        if isinstance(part, list):
            return [plain(each) for each in part]
        if not isinstance(part, dict):
            return part
        if "$ref" in part:
            part = schema["$defs"][part["$ref"].rpartition("/")[2]]
            return {"type": "object", "properties": plain(part["properties"])}
        if "anyOf" in part:
            return {"type": [each["type"] for each in part["anyOf"]]}
        return {n: plain(v) for n, v in part.items() if not (n == "title" and isinstance(v, str))}

    found: dict[str, Any] = plain(schema["properties"])
    return found


@actions
def test_a_manifest_and_its_model_have_the_same_results(name: str) -> None:
    model = ACTIONS[name].results_model
    assert model is not None
    said = manifest(name)["results"]
    assert without_words(said["properties"]) == result_schema(model)
    assert set(said["required"]) == set(model.model_fields)


@actions
def test_an_action_explains_its_arguments_and_results(name: str) -> None:
    for part in ("arguments", "results"):
        for each in manifest(name)[part]["properties"].values():
            assert each["title"][0].isupper()
            assert each["description"].endswith(".")


# Values


def judged(model: type[Arguments], values: Any) -> None:
    """All that is checked of ``values``, the times at noon."""
    arguments = model.of(values)
    if isinstance(arguments, TimedArguments):
        arguments.windows(NOON)


def mistakes(model: type[Arguments], values: Any) -> tuple[str, ...]:
    with pytest.raises(ImpossibleArguments) as caught:
        judged(model, values)
    return caught.value.mistakes


def names(found: tuple[str, ...]) -> list[str]:
    return [each.partition(" ")[0] for each in found]


def test_all_mistakes_are_told_at_once_and_none_shows_a_value() -> None:
    values = {
        "sender": ["ok@x.example", "canary not an address"],
        "recipient": "*@canary.example",
        "subject": "canary\nline",
        "subject_match": "canary",
        "message_id": " ",
        "trace_id": "canary",
        "status": ["delivered", "canary"],
        "from_ip": "canary",
        "start": "canary",
        "end": "canary",
        "limit": 0,
        "time_limit": "canary",
        "canary": 1,
    }
    found = mistakes(SearchArguments, values)
    assert sorted(names(found)) == sorted(values)
    assert "canary" not in " ".join(found).replace("canary is no argument", "")
    assert "limit is no whole number from 1 to 10000; enter one." in found


@pytest.mark.parametrize("values", [None, [], "text", 3])
def test_arguments_that_are_no_object_are_refused(values: Any) -> None:
    assert mistakes(SearchArguments, values) == ("they are not a JSON object.",)


@pytest.mark.parametrize("value", ["", "  ", [], [""], ["a@x.example", ""]])
def test_a_condition_that_came_out_empty_is_refused_instead_of_ignored(value: Any) -> None:
    """As when a template finds no value: without the condition, all mail would be found."""
    (found,) = mistakes(SearchArguments, {"sender": value})
    assert found == "sender is empty; leave it out, or enter a value."


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (model, name)
        for model in (SearchArguments, RecipientsArguments)
        for name, field in model.model_fields.items()
        if get_origin(field.annotation) is list
    ],
)
def test_an_empty_list_is_refused_for_each_condition(model: type[Arguments], name: str) -> None:
    """Also next to other conditions, without which more would be found than is meant."""
    other = {"subject": "x"} if name != "subject" else {"sender": "a@x.example"}
    (found,) = mistakes(model, {**other, name: []})
    assert found == f"{name} is empty; leave it out, or enter a value."


def test_what_a_form_leaves_empty_has_its_default() -> None:
    values: dict[str, Any] = {
        "recipient": None,
        "start": "",
        "end": None,
        "limit": None,
    }
    arguments = SearchArguments.of(values)
    assert arguments == SearchArguments.of({})
    (window,) = arguments.windows(NOON)
    assert (window.start, window.end) == (NOON - timedelta(hours=48), NOON)


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("sender", "ada@x.example ", "ada@x.example"),
        ("sender", "@x.example", "*@x.example"),
        ("sender", "*@x.example", "*@x.example"),
        ("sender", "<>", "<>"),
        ("recipient", "o'brien@x.example", "o'brien@x.example"),
        ("message_id", "a@x.example", "<a@x.example>"),
        ("message_id", "<a@x.example>", "<a@x.example>"),
        ("message_id", " <a@x.example", "<a@x.example>"),
        ("message_id", "a@x.example>", "<a@x.example>"),
        ("trace_id", GUID.upper(), GUID),
        ("status", "FilteredAsSpam", "filteredAsSpam"),
        ("from_ip", "2001:DB8:0::1", "2001:db8::1"),
        ("subject", " kept as it is", " kept as it is"),
        ("subject", "Facture\u202f: 12\xa0€\t\u200d", "Facture\u202f: 12\xa0€\t\u200d"),
    ],
)
def test_values_are_taken_in_the_forms_in_which_they_are_found(
    name: str, given: str, value: str
) -> None:
    for written in (given, [given]):
        assert getattr(SearchArguments.of({name: written}), name) == [value]


@pytest.mark.parametrize(
    "sender", ["ada", "ada@", "a*a@x.example", "*", "@", "*@*", "a b@x.example"]
)
def test_what_graph_would_match_with_nothing_is_no_sender(sender: str) -> None:
    assert names(mistakes(SearchArguments, {"sender": sender})) == ["sender"]


@pytest.mark.parametrize(
    ("start", "end"),
    [("1h ago", "2h ago"), ("2026-06-15T13:00", None), ("2026-06-15T12:00", "2027-01-01")],
    ids=["the wrong way round", "in the future", "only the future"],
)
def test_a_time_without_a_past_is_refused(start: str, end: str | None) -> None:
    (found,) = mistakes(SearchArguments, {"start": start, "end": end})
    assert found == "start is not before end, or not in the past; correct one of them."


def test_a_start_may_be_ninety_days_back_by_the_calendar() -> None:
    first = SearchArguments.of({"start": "2026-03-17T00:00"}).windows(NOON)
    assert first[-1].start == datetime.fromisoformat("2026-03-17T00:00Z")
    (found,) = mistakes(SearchArguments, {"start": "2026-03-16T23:59"})
    assert found.startswith("start is more than 90 days ago")


def test_an_end_before_all_times_is_too_old() -> None:
    (found,) = mistakes(SearchArguments, {"end": "0001-01-01"})
    assert found.startswith("start is more than 90 days ago")


def test_a_time_is_cut_into_windows_that_graph_takes_newest_first() -> None:
    windows = SearchArguments.of({"start": "30 days ago"}).windows(NOON)
    assert [each.span for each in windows] == [timedelta(days=10)] * 3
    assert windows[0].end == NOON
    for newer, older in pairwise(windows):
        assert newer.start == older.end


def test_more_requests_than_the_quota_allows_are_refused() -> None:
    senders = [f"a{n}@x.example" for n in range(31)]
    (found,) = mistakes(SearchArguments, {"sender": senders, "start": "30 days ago"})
    assert found.startswith("these values need more than 90 requests")
    assert len(list(SearchArguments.of({"sender": senders}).queries())) == 31


def test_values_of_countless_combinations_are_refused_at_once() -> None:
    senders = [f"a{n}@x.example" for n in range(3000)]
    subjects = [f"subject {n}" for n in range(3000)]
    values = {"sender": senders, "recipient": senders, "subject": subjects}
    (found,) = mistakes(SearchArguments, values)
    assert found.startswith("these values need more than 90 requests")


def test_a_mistake_of_several_values_is_told_once() -> None:
    (found,) = mistakes(SearchArguments, {"from_ip": ["x", "y", "z"]})
    assert found == "from_ip is no IP address; correct it."


@pytest.mark.parametrize("value", ["<>", "<", "<a@x> <b@x>", "a@x>, <b@x", "<<a@x>>"])
def test_what_is_not_one_message_id_is_refused_instead_of_found_nowhere(value: str) -> None:
    (found,) = mistakes(RecipientsArguments, {"message_id": value})
    assert found.startswith("message_id is not one Message-ID")


@pytest.mark.parametrize(
    "values",
    [{}, {"sender": "a@x.example"}, {"subject": "x"}],
    ids=["nothing", "a sender alone", "a subject alone"],
)
def test_recipients_need_what_tells_a_message(values: dict[str, Any]) -> None:
    (found,) = mistakes(RecipientsArguments, values)
    assert found.startswith("the message is missing;")


def test_recipients_of_a_message_are_found_by_either_of_its_ids() -> None:
    queries = RecipientsArguments.of({"message_id": "a@b", "trace_id": GUID}).queries()
    assert [[str(each) for each in query] for query in queries] == [
        [f"id eq '{GUID}'"],
        ["messageId eq '<a@b>'"],
    ]


def test_two_ways_to_tell_a_message_contradict_each_other() -> None:
    values = {"message_id": "a@b", "sender": "a@x.example", "subject": "x"}
    (found,) = mistakes(RecipientsArguments, values)
    assert found.endswith("enter one kind.")


def test_details_need_a_message_and_a_recipient() -> None:
    assert sorted(names(mistakes(DetailsArguments, {}))) == ["recipient", "trace_id"]
    assert DetailsArguments.of({"trace_id": GUID, "recipient": "a@b"}).time_limit == 300
