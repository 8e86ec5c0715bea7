"""Credentials as requests auth objects: an Entra ID application, or an account and password."""

import logging
from threading import Lock
from typing import Any

import msal
import requests
from requests.auth import AuthBase, HTTPBasicAuth

from office365_message_trace.errors import Misconfigured, Refused, Unavailable
from office365_message_trace.transport import TimeoutSession

# msal logs answers that it cannot read in full, and a token may be in them.
logging.getLogger("msal").setLevel(logging.CRITICAL + 1)

_APP_REGISTRATION = "Azure portal > App registrations > your application"

ENTRA_SENTENCES: dict[int, str] = {
    7000215: (
        "The client secret is wrong. Most often the secret's ID was pasted: client_secret must be "
        f"the Value that {_APP_REGISTRATION} > Certificates & secrets shows once, when the secret "
        "is created. Create a new secret and enter its Value."
    ),
    7000222: (
        f"The client secret has expired. Create a new one in {_APP_REGISTRATION} > Certificates & "
        "secrets and enter its Value as client_secret."
    ),
    700016: (
        "Entra ID does not know the application in this tenant. Compare client_id and tenant_id "
        f"with the Application (client) ID and Directory (tenant) ID on {_APP_REGISTRATION} > "
        "Overview."
    ),
    90002: (
        "Entra ID does not know the tenant. Compare tenant_id with the Directory (tenant) ID on "
        "Azure portal > Microsoft Entra ID > Overview."
    ),
    900023: "tenant_id is neither a GUID nor a domain name of the tenant; correct it.",
    7000112: (
        "The application is disabled in this tenant. Enable it in Azure portal > Enterprise "
        "applications > your application > Properties."
    ),
    53003: (
        "A Conditional Access policy blocks the application. See Azure portal > Microsoft Entra ID "
        "> Sign-in logs > Service principal sign-ins, and exclude the application or allow the "
        "address that the collector comes from."
    ),
    500011: (
        "The tenant has no Exchange Online (the requested resource was not found in it). Check "
        "tenant_id and the tenant's licences."
    ),
}
"""What Entra's error numbers mean here (learn.microsoft.com/entra/identity-platform/reference-error-codes)."""

_MENDED_IN_MICROSOFT_365 = frozenset({7000112, 53003, 500011})
_TRANSIENT_NUMBERS = frozenset({90006, 90012, 90024, 90033, 90055})


class Signer(AuthBase):
    """Signs requests, and knows what to do after a 401."""

    def renew(self) -> bool:
        """Drop what was refused; whether the request is worth repeating."""
        return False

    def proven(self) -> None:
        """The service accepted a request."""


class BasicAuth(HTTPBasicAuth, Signer):
    """The legacy service account. There is nothing to renew."""

    def __init__(self, account: str, password: str) -> None:
        super().__init__(account.encode(), password.encode())  # the base would encode as Latin-1


class EntraAuth(Signer):
    """A bearer token of an Entra ID application (client credentials).

    The token is kept and renewed five minutes before it expires, by msal. Getting one may raise
    `Misconfigured`, `Refused` or `Unavailable`.
    """

    def __init__(
        self, login_url: str, tenant_id: str, client_id: str, credential: Any, scope: str
    ) -> None:
        self._authority = f"{login_url}/{tenant_id}"
        self._client_id = client_id
        self._credential = credential
        self._scope = scope
        self._http = TimeoutSession()
        self._http.hooks["response"].append(self._remember)
        self._last: requests.Response | None = None  # msal's errors do not carry the answer
        self._throttle_cache: dict[str, Any] = {}
        self._application: msal.ConfidentialClientApplication | None = None
        self._renewed = False
        self._lock = Lock()  # two pages may be asked for at once

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        with self._lock:
            request.headers["Authorization"] = f"Bearer {self._token()}"
        return request

    def renew(self) -> bool:
        """Forget the token; False if a token renewed since the last success was refused as well."""
        with self._lock:
            worth_it = not self._renewed
            self._renewed = True
            if self._application is not None:
                self._application.remove_tokens_for_client()
            return worth_it

    def proven(self) -> None:
        self._renewed = False

    def _token(self) -> str:
        # msal would answer from this cache after an error; when to ask again is decided elsewhere.
        self._throttle_cache.clear()
        self._last = None
        try:
            result = self._opened().acquire_token_for_client(scopes=[self._scope])
        except (requests.RequestException, OSError) as error:
            raise Unavailable("Entra ID cannot be reached", type(error).__name__) from error
        except Exception as error:  # msal raises whatever it stumbles over in an odd answer
            raise _entra_failure(self._last, {}) from error
        if not result or "access_token" not in result:
            raise _entra_failure(self._last, result or {})
        return str(result["access_token"])

    def _remember(self, response: requests.Response, **_options: Any) -> None:
        self._last = response

    def _opened(self) -> msal.ConfidentialClientApplication:
        """The msal application, made at the first need because making it asks Entra ID."""
        if self._application is None:
            self._application = msal.ConfidentialClientApplication(
                self._client_id,
                client_credential=self._credential,
                authority=self._authority,
                instance_discovery=False,
                http_client=self._http,
                http_cache=self._throttle_cache,
            )
        return self._application


def _entra_failure(
    response: requests.Response | None, result: dict[str, Any]
) -> Unavailable | Refused:
    """What an unsuccessful answer of Entra ID means.

    Decided by the number in ``error_codes`` where known, else by the status.
    """
    if response is not None and not result.get("error_codes"):
        result = _json_object(response) | result
    status = response.status_code if response is not None else 0
    numbers = [int(number) for number in result.get("error_codes") or () if str(number).isdigit()]
    error = str(result.get("error", "")) or "no error code"
    detail = f"status {status}, {error}" + "".join(f", AADSTS{number}" for number in numbers)
    transient = status in (0, 408, 429) or status >= 500 or _TRANSIENT_NUMBERS & {*numbers}
    if transient or error == "temporarily_unavailable" or 200 <= status < 400:
        wait = response.headers.get("Retry-After", "") if response is not None else ""
        return Unavailable(
            "Entra ID gives no token at the moment",
            detail,
            float(wait) if wait.isdecimal() else None,
        )
    known = next((number for number in numbers if number in ENTRA_SENTENCES), None)
    if known in _MENDED_IN_MICROSOFT_365:
        return Refused(ENTRA_SENTENCES[known], detail)
    if known is not None:
        return Misconfigured(ENTRA_SENTENCES[known], detail)
    return Misconfigured(
        "Entra ID refuses a token. Compare tenant_id, client_id and client_secret with the "
        "application's registration, and look at Azure portal > Microsoft Entra ID > Sign-in logs "
        "> Service principal sign-ins.",
        detail,
    )


def _json_object(response: requests.Response) -> dict[str, Any]:
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
