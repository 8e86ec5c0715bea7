"""Checks that an application can sign in for a service, and what its token allows."""

import requests

from office365_message_trace.checks.findings import Finding, failure, kind_of
from office365_message_trace.checks.token import claims_of, token_finding
from office365_message_trace.errors import MessageTraceError, Unavailable, Unreachable
from office365_message_trace.microsoft.auth import Signer
from office365_message_trace.microsoft.odata import ODataClient

SIGN_IN = "sign-in"
"""The subject of the finding if there is no token."""
_PASSES = "Try again; if it lasts, see Microsoft 365 admin center > Health > Service health."


def sign_in_finding(signer: Signer, source: ODataClient, scope: str) -> Finding:
    """The finding on the token for ``source``; signs a request to get it, but does not send the request."""
    audience = scope.removesuffix("/.default")
    try:
        signed = signer(requests.Request("GET", audience).prepare())
    except MessageTraceError as problem:
        return failure(SIGN_IN, kind_of(problem), _sentence(problem))
    token = signed.headers["Authorization"].removeprefix("Bearer ")
    return token_finding(claims_of(token), source.permission, source.resource, audience)


def _sentence(problem: MessageTraceError) -> str:
    """The text of the finding for ``problem``. A passing fault gets the advice that it lacks."""
    if not isinstance(problem, Unavailable) or isinstance(problem, Unreachable):
        return str(problem)
    return f"{problem.sentence}. {_PASSES} [{problem.detail}]"
