"""Credentials as requests auth objects: an Entra ID application, or an account and password."""

import json
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

import msal
import requests
from requests.auth import AuthBase, HTTPBasicAuth

from office365_message_trace.entra import failure
from office365_message_trace.errors import MessageTraceError, Unavailable
from office365_message_trace.transport import Dated, TimeoutSession

# msal logs answers that it cannot read in full, and a token may be in them.
logging.getLogger("msal").setLevel(logging.CRITICAL + 1)


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

    ``credential`` is what msal takes: the value of a secret, or what `credentials` makes. The token is
    kept and renewed five minutes before it expires, by msal. Getting one is one request, to
    ``{login_url}/{tenant_id}/oauth2/v2.0/token``, which Microsoft documents for every cloud
    (learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow); it may raise
    `Misconfigured`, `Refused` or `Unavailable`. ``answered`` gets the status of each answer, and
    ``dated`` its ``Date``.
    """

    def __init__(
        self,
        login_url: str,
        tenant_id: str,
        client_id: str,
        credential: Any,
        scope: str,
        answered: Callable[[int], None] = lambda status: None,
        dated: Dated = lambda date: None,
    ) -> None:
        self._authority = f"{login_url}/{tenant_id}"
        self._client_id = client_id
        self._credential = credential
        self._scope = scope
        self._answered = answered
        self._dated = dated
        session = TimeoutSession()
        session.hooks["response"].append(self._remember)
        self._http = TokenHttp(f"{self._authority}/oauth2/v2.0", session)
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
        except MessageTraceError:  # of the credential
            raise
        except (requests.RequestException, OSError) as error:
            raise Unavailable("Entra ID cannot be reached", type(error).__name__) from error
        except Exception as error:  # msal raises whatever it stumbles over in an odd answer
            raise failure(self._last, {}) from error
        if not result or "access_token" not in result:
            self._application = None  # so that nothing refused is used again, such as an assertion
            raise failure(self._last, result or {})
        return str(result["access_token"])

    def _remember(self, response: requests.Response, **_options: Any) -> None:
        self._last = response
        self._dated(response.headers.get("Date", ""))
        self._answered(response.status_code)

    def _opened(self) -> msal.ConfidentialClientApplication:
        """The msal application; a refusal makes the next token begin with another one."""
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


@dataclass(frozen=True, slots=True)
class _Answer:
    """As much of an answer as msal looks at."""

    status_code: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)


class TokenHttp:
    """Sends for msal, below ``root``: the token request and nothing else, and after no redirect."""

    def __init__(self, root: str, session: requests.Session) -> None:
        self._token_endpoint = f"{root}/token"
        endpoints = {
            "authorization_endpoint": f"{root}/authorize",
            "token_endpoint": self._token_endpoint,
        }
        self._endpoints = _Answer(200, json.dumps(endpoints))
        self._session = session

    def get(self, _url: str, **_options: Any) -> _Answer:
        """The endpoints, which msal would look up: they are documented, so no network is needed, and
        no answer can lead the credential elsewhere."""
        return self._endpoints

    def post(self, url: str, **options: Any) -> requests.Response:
        """Send the token request once. Raises ValueError for any other address."""
        if url != self._token_endpoint:
            raise ValueError("a credential is sent to the token endpoint only")
        return self._session.post(url, allow_redirects=False, **options)
