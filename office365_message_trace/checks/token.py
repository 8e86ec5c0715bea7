"""Checks the claims of an access token, which is not verified and never printed."""

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from office365_message_trace.checks.findings import Finding, failure, ok, warning
from office365_message_trace.formatting import moment
from office365_message_trace.untrusted_text import printable

LACKS_PERMISSION = "lacks-permission"
_MOST_ROLES = 50  # an application's own permissions; more are no use to a reader
_API_PERMISSIONS = "Azure portal > App registrations > your application > API permissions"


def claims_of(token: str) -> dict[str, Any] | None:
    """The claims of a JSON Web Token; None if it is none."""
    try:
        part = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError, RecursionError):
        return None
    return claims if isinstance(claims, dict) else None


def token_finding(
    claims: Mapping[str, Any] | None, permission: str, resource: str, audience: str
) -> Finding:
    """The finding on a token with ``claims``, which needs ``permission`` of ``resource`` for ``audience``."""
    if claims is None:
        return warning(
            "token",
            "unreadable",
            "Entra ID gave one that cannot be looked into; the service decides.",
        )
    roles = _roles(claims)
    if permission not in roles:
        return failure(
            "token",
            LACKS_PERMISSION,
            f"The token lacks the permission {permission} (it has {', '.join(roles) or 'none'}). "
            f"An administrator adds {resource} > Application permissions > {permission} in "
            f"{_API_PERMISSIONS}, and presses Grant admin consent there.",
        )
    meant = printable(claims.get("aud"))
    if meant.rstrip("/") != audience.rstrip("/"):
        return warning(
            "token", "other-audience", f"It is for {meant}, where {audience} was asked for."
        )
    return ok(
        "token",
        f"application {printable(claims.get('appid'))} in tenant {printable(claims.get('tid'))}, "
        f"for {meant}, with "
        f"{', '.join(roles)}, valid until {_expiry(claims)}",
    )


def _roles(claims: Mapping[str, Any]) -> list[str]:
    roles = claims.get("roles")
    return [printable(role) for role in roles[:_MOST_ROLES]] if isinstance(roles, list) else []


def _expiry(claims: Mapping[str, Any]) -> str:
    try:
        return moment(datetime.fromtimestamp(float(claims["exp"]), UTC))
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return "an unknown time"
