"""Entra ID's refusals: AADSTS number, HTTP status, OAuth error and text, in one table.

Numbers, `error` values and the texts of the first rows are recorded from the service; statuses
of the others follow general Entra practice. What stands in braces is filled in.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sandbox.wire import Response, json_response

NO_RECORD = "No matching federated identity record found for presented assertion"

TABLE: dict[int, tuple[int, str, str]] = {
    700016: (
        400,
        "unauthorized_client",
        "Application with identifier '{app}' was not found in the directory '{tenant}'. This can "
        "happen if the application has not been installed by the administrator of the tenant or "
        "consented to by any user in the tenant. You may have sent your authentication request to "
        "the wrong tenant.",
    ),
    7000215: (
        401,
        "invalid_client",
        "Invalid client secret provided. Ensure the secret being sent in the request is the client "
        "secret value, not the client secret ID, for a secret added to app '{app}'.",
    ),
    7000222: (
        401,
        "invalid_client",
        "The provided client secret keys for app '{app}' are expired. Visit the Azure portal to "
        "create new keys for your app: https://aka.ms/NewClientSecret, or consider using "
        "certificate credentials for added security: https://aka.ms/certCreds.",
    ),
    90002: (
        400,
        "invalid_request",
        "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are "
        "signing into the correct cloud. Check with your subscription administrator, this may "
        "happen if there are no active subscriptions for the tenant.",
    ),
    70011: (
        400,
        "invalid_scope",
        "The provided value for the input parameter 'scope' isn't valid. The scope '{scope}' isn't "
        "valid.",
    ),
    500011: (
        400,
        "invalid_resource",
        "The resource principal named {scope} was not found in the tenant named {tenant}.",
    ),
    900021: (
        400,
        "invalid_request",
        "Requested tenant identifier '{tenant}' is not valid. Tenant identifiers may not be an empty "
        "GUID.",
    ),
    50128: (
        400,
        "invalid_request",
        "Invalid domain name - No tenant-identifying information found in either the request or implied "
        "by any provided credentials.",
    ),
    50059: (
        400,
        "invalid_request",
        "No tenant-identifying information found in either the request or implied by any provided "
        "credentials.",
    ),
    50194: (
        400,
        "invalid_request",
        "Application '{app}' is not configured as a multi-tenant application. Usage of the /common "
        "endpoint is not supported for such apps.",
    ),
    7000229: (
        401,
        "invalid_client",
        "The client application {app} is missing service principal in the tenant {tenant}.",
    ),
    530035: (400, "invalid_grant", "Access has been blocked by security defaults."),
    900144: (
        400,
        "invalid_request",
        "The request body must contain the following parameter: '{field}'.",
    ),
    70003: (
        400,
        "unsupported_grant_type",
        "The app requested an unsupported grant type '{field}'.",
    ),
    900023: (
        400,
        "invalid_request",
        "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external "
        "domain.",
    ),
    7000112: (400, "unauthorized_client", "Application '{app}' is disabled."),
    53003: (400, "invalid_grant", "Access has been blocked by Conditional Access policies."),
    90038: (
        400,
        "invalid_request",
        "The tenant '{tenant}' is redirected to the National Cloud instance.",
    ),
    900382: (
        400,
        "invalid_request",
        "Confidential Client isn't supported in Cross Cloud request.",
    ),
    900432: (
        400,
        "invalid_request",
        "Confidential Client isn't supported in Cross Cloud request.",
    ),
    700024: (
        401,
        "invalid_client",
        "Client assertion isn't within its valid time range.",
    ),
    700027: (
        401,
        "invalid_client",
        "Client assertion contains an invalid signature. [Reason - {field}]",
    ),
    700021: (
        401,
        "invalid_client",
        "Client assertion application identifier doesn't match 'client_id' parameter.",
    ),
    700023: (401, "invalid_client", "Client assertion audience claim doesn't match Realm issuer."),
    50027: (401, "invalid_client", "JWT token is invalid or malformed."),
    7000218: (
        401,
        "invalid_client",
        "The request body must contain the following parameter: 'client_assertion' or "
        "'client_secret'.",
    ),
    70021: (400, "invalid_request", NO_RECORD + "."),
    70025: (400, "invalid_client", "The client has no configured federated identity credentials."),
    700211: (401, "invalid_client", NO_RECORD + " issuer '{field}'."),
    700212: (401, "invalid_client", NO_RECORD + " audience '{field}'."),
    700213: (401, "invalid_client", NO_RECORD + " subject '{field}'."),
    7002121: (401, "invalid_client", NO_RECORD + " audience '{field}'."),
    7002138: (
        401,
        "invalid_client",
        NO_RECORD + " subject '{field}'. The match is case sensitive.",
    ),
    700223: (400, "unauthorized_client", "Workload identity federation is disabled."),
    700238: (400, "unauthorized_client", "Workload identity federation is disabled."),
    90006: (503, "temporarily_unavailable", "The service is temporarily unavailable."),
    90012: (504, "temporarily_unavailable", "The request has timed out."),
    90024: (503, "temporarily_unavailable", "A transient error has occurred. Please try again."),
    90033: (503, "temporarily_unavailable", "A transient error has occurred. Please try again."),
    90055: (429, "temporarily_unavailable", "The tenant '{tenant}' is throttled."),
}


@dataclass
class EntraError(Exception):
    """A refusal by AADSTS number, with what its text mentions."""

    code: int
    tenant: str = ""
    app: str = ""
    scope: str = ""
    name: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self, now: datetime, trace: UUID) -> Response:
        """The documented envelope."""
        status, error, template = TABLE[self.code]
        text = template.format(app=self.app, tenant=self.tenant, scope=self.scope, field=self.name)
        stamp = now.strftime("%Y-%m-%d %H:%M:%SZ")
        description = (
            f"AADSTS{self.code}: {text}\r\nTrace ID: {trace}\r\nCorrelation ID: {trace}"
            f"\r\nTimestamp: {stamp}"
        )
        body = {
            "error": error,
            "error_description": description,
            "error_codes": [self.code],
            "timestamp": stamp,
            "trace_id": str(trace),
            "correlation_id": str(trace),
            "error_uri": f"https://login.microsoftonline.com/error?code={self.code}",
        }
        answer = json_response(status, body)
        return Response(answer.status, answer.body, answer.content_type, dict(self.headers))
