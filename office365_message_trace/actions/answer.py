"""Answers one question with Microsoft Graph: for actions of a playbook and the command line alike."""

from contextlib import suppress

from office365_message_trace.actions.arguments import (
    Arguments,
    DetailsArguments,
    RecipientsArguments,
    SearchArguments,
)
from office365_message_trace.actions.details import get_details
from office365_message_trace.actions.reading import Reading, TimeLimit
from office365_message_trace.actions.recipients import find_recipients
from office365_message_trace.actions.results import Result
from office365_message_trace.actions.search import search
from office365_message_trace.clock import Clock
from office365_message_trace.errors import Unavailable
from office365_message_trace.wiring import GraphAccess


def answer(arguments: Arguments, access: GraphAccess, clock: Clock) -> Result:
    """The result for ``arguments``, within their time limit. ``clock`` learns the time from ``access``.

    Raises `Refused` if a person has to act before there can be any answer, and `ImpossibleArguments` for
    impossible times.
    """
    limit = TimeLimit(clock, arguments.time_limit)
    with suppress(Unavailable):  # the first request tries again
        access.signer.sign_in()
    result = _answered(arguments, access, clock, limit)
    return result.model_copy(update={"requests": access.budget.granted})


def _answered(arguments: Arguments, access: GraphAccess, clock: Clock, limit: TimeLimit) -> Result:
    client = access.client
    reading = Reading(client, clock, limit, client.many_recipients)
    match arguments:
        case SearchArguments():
            return search(arguments, reading, clock.now())
        case RecipientsArguments():
            return find_recipients(arguments, reading, clock.now())
        case DetailsArguments():
            return get_details(arguments, client, limit)
    raise TypeError(f"no action for {type(arguments).__name__}")
