"""The refusals of Microsoft Graph: one envelope, and another one for some faults of status 500."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from sandbox.wire import Response, json_response

PRINCIPAL = "8bd644d1-64a1-4d4b-ae52-2e0cbf64e373"
"""App ID of the service principal that a tenant needs for message traces (documented)."""

_CHALLENGE = (
    'Bearer realm="", authorization_uri="https://login.microsoftonline.com/common/oauth2/authorize"'
    ', client_id="00000003-0000-0000-c000-000000000000"'
)


class GraphError(Exception):
    """A request that is refused; `inner` replaces the usual inner error."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        headers: Mapping[str, str] | None = None,
        inner: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message
        self.headers, self.inner = dict(headers or {}), inner

    def response(self, now: datetime, request_id: str, client_request_id: str) -> Response:
        """The answer, in the envelope that all of Graph uses."""
        error: dict[str, Any] = {"code": self.code, "message": self.message}
        if self.inner is not None:
            error["innererror"] = self.inner
        else:
            error["innerError"] = {
                "date": now.strftime("%Y-%m-%dT%H:%M:%S"),
                "request-id": request_id,
                "client-request-id": client_request_id,
            }
        answer = json_response(self.status, {"error": error})
        return Response(answer.status, answer.body, "application/json", self.headers)


def invalid_token(message: str) -> GraphError:
    """No token, or one that is expired, revoked, or meant for another service."""
    headers = {"WWW-Authenticate": _CHALLENGE}
    return GraphError(401, "InvalidAuthenticationToken", message, headers=headers)


def no_permission() -> GraphError:
    """The application lacks the permission (general to Graph; unknown for message traces)."""
    text = "Insufficient privileges to complete the operation."
    return GraphError(403, "Authorization_RequestDenied", text)


def no_principal(code: Literal["Unauthorized", "Forbidden"]) -> GraphError:
    """The tenant lacks the service principal, or it is not provisioned yet (observed)."""
    text = (
        "Service principal-less Authentication failed: the service principal for App ID "
        f"{PRINCIPAL} was not found. Please create a service principal for this app in your "
        "tenant. Provisioning may take several hours to complete."
    )
    return GraphError(401 if code == "Unauthorized" else 403, code, text)


def throttled(headers: Mapping[str, str]) -> GraphError:
    """The quota is used up (observed)."""
    text = "Your recent queries have surpassed the permitted limit, please try again later."
    return GraphError(429, "TooManyRequests", text, headers=headers)


def bad_request(message: str) -> GraphError:
    """A query that the service does not take."""
    return GraphError(400, "BadRequest", message)


def unsound_link(how: Literal["encoded date", "recipient"]) -> GraphError:
    """A link that the service made itself and does not take (both observed)."""
    if how == "recipient":
        return bad_request("|System.ArgumentException|Invalid starting recipient address")
    return bad_request("Cannot process argument transformation on parameter 'StartDate'.")


def too_long(days: int) -> GraphError:
    """A window that spans too much (observed)."""
    return bad_request(
        "|System.ArgumentException|The interval between StartDate and EndDate can't be longer than "
        f"{days} days."
    )


def too_old(days: int, status: int) -> GraphError:
    """A window that begins before the history (observed with either status)."""
    text = f"Invalid StartDate value. The StartDate can't be older than {days} days from today."
    if status == 400:
        return bad_request(text)
    cause = {"message": text, "type": "System.ArgumentException", "stacktrace": ""}
    outer = "An error occurred while executing the request."
    inner = {
        "message": outer,
        "type": "System.Web.Http.HttpException",
        "stacktrace": "",
        "internalexception": cause,
    }
    return GraphError(status, "InternalServerError", outer, inner=inner)
