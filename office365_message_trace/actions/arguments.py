"""Arguments of the actions, checked as a whole before any question to Microsoft Graph: pure.

The models mirror the ``arguments`` of the manifests; a test keeps the two in step.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from ipaddress import ip_address
from itertools import islice
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
)

from office365_message_trace.errors import ImpossibleArguments
from office365_message_trace.microsoft.conditions import (
    ANY_OF_DOMAIN,
    Comparison,
    Condition,
    Conditions,
    combinations,
)
from office365_message_trace.microsoft.field_names import GRAPH
from office365_message_trace.model import EPOCH, Window
from office365_message_trace.settings import what_is_wrong
from office365_message_trace.time_arguments import FORMS, parse_time
from office365_message_trace.untrusted_text import printable

HISTORY = timedelta(days=90)  # that Graph keeps, by whole days; documented
WIDEST = timedelta(days=10)  # window of a query; documented
MOST_QUERIES = 90  # of an action: what the quota allows in five minutes, about
LONGEST_SUBJECT = 256  # characters that Microsoft keeps, documented

_LONGEST_TEXT = 1000  # characters; addresses and Message-IDs have fewer
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_ADDRESS = re.compile(r"[^\s@<>*]+@[^\s@<>*]+")
_CONTROL = re.compile(
    r"[\x00-\x08\n-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"
)  # not tabs, which subjects hold
_NOBODY = "<>"  # the sender of a non-delivery report
_EMPTY = "is empty; leave it out, or enter a value."
_NO_TIME = "start is not before end, or not in the past; correct one of them."
_TOO_OLD = f"start is more than {HISTORY.days} days ago, and Microsoft keeps no older mail."
_TOO_MANY = (
    f"these values need more than {MOST_QUERIES} requests, one for each combination of them and each "
    f"{WIDEST.days} days; enter fewer values or a shorter time."
)
_NO_MESSAGE = "the message is missing; enter message_id or trace_id or both, or sender and subject."
_TWO_KINDS = (
    "message_id or trace_id tells the message, and so do sender and subject; enter one kind."
)

Status = Literal[
    "gettingStatus",
    "pending",
    "failed",
    "delivered",
    "expanded",
    "quarantined",
    "filteredAsSpam",
    "recalled",
]
_STATUSES = {name.lower(): name for name in get_args(Status)}
SubjectMatch = Literal["contains", "starts", "ends", "equals"]
_COMPARISONS: dict[SubjectMatch, Comparison] = {
    "contains": "contains",
    "starts": "startsWith",
    "ends": "endsWith",
    "equals": "eq",
}


def _plain(value: str, longest: int = _LONGEST_TEXT) -> str:
    if not value.strip():
        raise ValueError(_EMPTY)
    if len(value) > longest or _CONTROL.search(value):
        raise ValueError(f"is no text of at most {longest} characters on one line; correct it.")
    return value


def _address(value: str) -> str:
    value = _plain(value).strip()
    if not _ADDRESS.fullmatch(value):
        raise ValueError("is not an address such as ada@contoso.com; correct it.")
    return value


def _sender(value: str) -> str:
    value = _plain(value).strip()
    if value == _NOBODY:
        return value
    local, _, domain = value.removeprefix("*").partition("@")
    if not local and _ADDRESS.fullmatch(f"any@{domain}"):
        return ANY_OF_DOMAIN + domain
    if not _ADDRESS.fullmatch(value):
        raise ValueError(
            "is neither an address such as ada@contoso.com nor a domain such as @contoso.com; correct it."
        )
    return value


def _subject(value: str) -> str:
    return _plain(value, LONGEST_SUBJECT)


def _message_id(value: str) -> str:
    inner = _plain(value).strip().removeprefix("<").removesuffix(">")
    if not inner or "<" in inner or ">" in inner:
        raise ValueError("is not one Message-ID such as <1234@mail.example>; correct it.")
    return f"<{inner}>"


def _trace_id(value: str) -> str:
    value = _plain(value).strip()
    if not _GUID.fullmatch(value):
        raise ValueError("is no message trace id, which is a GUID; copy it from the event.")
    return value.lower()


def _ip(value: str) -> str:
    try:
        return str(ip_address(value.strip()))
    except ValueError:
        raise ValueError("is no IP address; correct it.") from None


def _time(value: str) -> str:
    """Check the form alone, as if now were the earliest time: what is so long ago then is a time later."""
    try:
        parse_time(value, EPOCH)
    except ValueError:
        raise ValueError(f"is not a time that is understood here. {FORMS}") from None
    return value


def _status(value: object) -> object:
    return _STATUSES.get(value.strip().lower(), value) if isinstance(value, str) else value


def _several(value: object) -> object:
    """A single value for a list of one: templates of a playbook often give that.

    An empty list is what a step gives that found nothing, and no condition would find all mail.
    """
    if value == []:
        raise ValueError(_EMPTY)
    return [value] if isinstance(value, str) else value


def _given(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


Sender = Annotated[str, AfterValidator(_sender)]
Address = Annotated[str, AfterValidator(_address)]
Subject = Annotated[str, AfterValidator(_subject)]
MessageId = Annotated[str, AfterValidator(_message_id)]
TraceId = Annotated[str, AfterValidator(_trace_id)]
Ip = Annotated[str, AfterValidator(_ip)]
Time = Annotated[str, AfterValidator(_time)]
OptionalTime = Annotated[Time | None, BeforeValidator(_given)]
AnyStatus = Annotated[Status, BeforeValidator(_status)]
_T = TypeVar("_T")
Several = Annotated[list[_T], BeforeValidator(_several)]


class Arguments(BaseModel):
    """Arguments that all actions have."""

    model_config = ConfigDict(frozen=True, hide_input_in_errors=True, extra="forbid")

    time_limit: int = Field(default=300, ge=10, le=3600)

    @classmethod
    def of(cls, values: object) -> Self:
        """Validate ``values``, null ones being left out. Raises `ImpossibleArguments` with every mistake,
        none of which shows a value."""
        if not isinstance(values, Mapping):
            raise ImpossibleArguments(["they are not a JSON object."])
        given = {name: value for name, value in values.items() if value is not None}
        try:
            arguments = cls.model_validate(given)
        except ValidationError as error:
            mistakes = dict.fromkeys(_explained(cls, each) for each in error.errors())
            raise ImpossibleArguments(list(mistakes)) from None
        if mistake := arguments._contradiction():
            raise ImpossibleArguments([mistake])
        return arguments

    def _contradiction(self) -> str | None:
        """The mistake in values each of which is possible, if there is one."""
        return None


class TimedArguments(Arguments):
    """Arguments of actions that read a time. Its ``usual`` span counts back from the end."""

    usual: ClassVar[timedelta]

    start: OptionalTime = None
    end: OptionalTime = None

    def windows(self, now: datetime) -> list[Window]:
        """The time to read at ``now``, in parts that one query can be for, which share their bounds; newest
        first.

        Raises `ImpossibleArguments` if there is no such time, or if it takes too many queries. That is
        known only now, because the machine's clock may be wrong until Microsoft has told the time.
        """
        end = min(max(parse_time(self.end, now), EPOCH), now) if self.end else now
        start = parse_time(self.start, now) if self.start else end - self.usual
        if start >= end:
            raise ImpossibleArguments([_NO_TIME])
        if start < now.replace(hour=0, minute=0, second=0, microsecond=0) - HISTORY:
            raise ImpossibleArguments([_TOO_OLD])
        parts = []
        while end > start:
            begin = max(end - WIDEST, start)
            parts.append(Window(begin, end))
            end = begin
        if len(parts) * len(self._some_queries()) > MOST_QUERIES:
            raise ImpossibleArguments([_TOO_MANY])
        return parts

    def queries(self) -> Iterable[Conditions]:
        """The conditions to query one after another, for rows that meet all of one of them."""
        raise NotImplementedError

    def _some_queries(self) -> list[Conditions]:
        """The queries, as far as they have to be known to tell that they are too many."""
        return list(islice(self.queries(), MOST_QUERIES + 1))

    def _contradiction(self) -> str | None:
        return _TOO_MANY if len(self._some_queries()) > MOST_QUERIES else None


class SearchArguments(TimedArguments):
    """Arguments of *Search message trace*."""

    usual: ClassVar[timedelta] = timedelta(hours=48)  # as Graph has it without a filter

    sender: Several[Sender] = []
    recipient: Several[Address] = []
    subject: Several[Subject] = []
    subject_match: SubjectMatch = "contains"
    message_id: Several[MessageId] = []
    trace_id: Several[TraceId] = []
    status: Several[AnyStatus] = []
    from_ip: Several[Ip] = []
    to_ip: Several[Ip] = []
    limit: int = Field(default=1000, ge=1, le=10000)

    def queries(self) -> Iterable[Conditions]:
        values: dict[str, Sequence[str]] = {
            GRAPH.sender: self.sender,
            GRAPH.recipient: self.recipient,
            GRAPH.message_id: self.message_id,
            GRAPH.trace_id: self.trace_id,
            GRAPH.status: self.status,
            GRAPH.from_ip: self.from_ip,
            GRAPH.to_ip: self.to_ip,
        }
        conditions = [[Condition(name, each) for each in given] for name, given in values.items()]
        comparison = _COMPARISONS[self.subject_match]
        conditions.append([Condition(GRAPH.subject, each, comparison) for each in self.subject])
        return combinations(conditions)


class RecipientsArguments(TimedArguments):
    """Arguments of *Find all recipients of a message*."""

    usual: ClassVar[timedelta] = WIDEST

    message_id: Several[MessageId] = []
    trace_id: Several[TraceId] = []
    sender: Sender | None = None
    subject: Subject | None = None
    subject_match: SubjectMatch = "equals"

    def queries(self) -> list[Conditions]:
        """For the rows of any of the messages named; of all mail with the sender and the subject if none is."""
        if self.sender is not None and self.subject is not None:
            comparison = _COMPARISONS[self.subject_match]
            subject = Condition(GRAPH.subject, self.subject, comparison)
            return [(Condition(GRAPH.sender, self.sender), subject)]
        named = {GRAPH.trace_id: self.trace_id, GRAPH.message_id: self.message_id}
        return [(Condition(name, each),) for name in named for each in named[name]]

    def _contradiction(self) -> str | None:
        pair = self.sender is not None or self.subject is not None
        if pair and (self.message_id or self.trace_id):
            return _TWO_KINDS
        return super()._contradiction() if any(self.queries()) else _NO_MESSAGE


class DetailsArguments(Arguments):
    """Arguments of *Get message trace details*."""

    trace_id: TraceId
    recipient: Address


def _explained(model: type[Arguments], error: Mapping[str, Any]) -> str:
    """One line: argument, problem, what to enter."""
    name = str(error["loc"][0])
    field = model.model_fields.get(name)
    match error["type"]:
        case "missing" | "value_error":
            wrong = what_is_wrong(error)
        case "extra_forbidden":
            wrong = "is no argument of this action; correct its name, or leave it out."
        case _ if field is not None and field.annotation is int:
            bounds = {
                word: getattr(each, word)
                for each in field.metadata
                for word in ("ge", "le")
                if hasattr(each, word)
            }
            wrong = f"is no whole number from {bounds['ge']} to {bounds['le']}; enter one."
        case "list_type":
            wrong = "is neither a text nor a list of texts; enter one of them."
        case _:
            wrong = what_is_wrong(error)
    return f"{printable(name)} {wrong}"
