"""Credentials as requests auth objects: an Entra ID application, or an account and password."""

import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msal
import requests
from requests.auth import AuthBase, HTTPBasicAuth

from office365_message_trace import codec
from office365_message_trace.errors import MessageTraceError, NoToken
from office365_message_trace.microsoft.entra_errors import failure
from office365_message_trace.transport.client import Dated
from office365_message_trace.transport.session import Answer, TimeoutSession, unavailable

LONGEST_ANSWER = 64 * 1024  # bytes; a token has less than 10 kB
_LIFETIMES = {"expires_in", "ext_expires_in", "refresh_in"}  # of a token, in seconds
_SENDABLE = re.compile(r"[!-~]+")  # what a header can hold; RFC 6750 allows less than that

# msal logs whole answers that it cannot parse, and these may hold a token.
logging.getLogger("msal").setLevel(logging.CRITICAL + 1)


class Signer(AuthBase):
    """Signs requests, and renews credentials after a 401."""

    def sign_in(self) -> None:
        """Get what the next request needs, whose answer tells the time as well; nothing without a sign-in."""

    def renew(self) -> bool:
        """Drop the refused credential. Returns True if the request is worth repeating."""
        return False

    def proven(self) -> None:
        """Note that the service accepted a request."""


class BasicAuth(HTTPBasicAuth, Signer):
    """The legacy service account, with nothing to renew."""

    def __init__(self, account: str, password: str) -> None:
        super().__init__(account.encode(), password.encode())  # the base would encode as Latin-1


class EntraAuth(Signer):
    """A bearer token of an Entra ID application (client credentials).

    ``credential`` is in msal's form: the value of a secret, or one made by `credentials`. msal caches the
    token and renews it five minutes before it expires. Getting one is one request, to
    ``{login_url}/{tenant_id}/oauth2/v2.0/token``, which Microsoft documents for every cloud
    (learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow); it may raise
    `Misconfigured`, `Refused` or `Unavailable`. Requests that need a token at the same time each get
    their own: none waits for another's token request. ``answered`` gets the status of each
    answer, and ``dated`` its ``Date``. A token request takes `TOTAL_TIMEOUT` at most, or the seconds
    ``within``.
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
        within: float | None = None,
    ) -> None:
        self._authority = f"{login_url}/{tenant_id}"
        self._client_id = client_id
        self._credential = credential
        self._scope = scope
        self._answered = answered
        self._dated = dated
        self._session = TimeoutSession(LONGEST_ANSWER, within)
        self._tokens = msal.TokenCache()
        self._renewed = False

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Authorization"] = f"Bearer {self._token()}"
        return request

    def renew(self) -> bool:
        """Drop the token. Returns False if a token renewed since the last success was refused, too."""
        worth_it = not self._renewed
        self._renewed = True
        self._tokens = msal.TokenCache()
        return worth_it

    def proven(self) -> None:
        self._renewed = False

    def sign_in(self) -> None:
        self._token()

    def _token(self) -> str:
        http = TokenHttp(f"{self._authority}/oauth2/v2.0", self._session, self._headed)
        try:
            # A new application for each token: msal caches refused answers and assertions.
            application = msal.ConfidentialClientApplication(
                self._client_id,
                client_credential=self._credential,
                authority=self._authority,
                instance_discovery=False,
                http_client=http,
                token_cache=self._tokens,
            )
            result = application.acquire_token_for_client(scopes=[self._scope])
        except MessageTraceError:  # of the credential or the network
            raise
        except Exception as error:  # msal lets any error out that an odd answer causes
            raise failure(http.answer, {}) from error
        if not result or "access_token" not in result:
            raise failure(http.answer, result or {})
        token = result["access_token"]
        if not isinstance(token, str) or not _SENDABLE.fullmatch(token):
            self._tokens = msal.TokenCache()  # else it is served until it expires
            raise NoToken("Entra ID gives a token that cannot be sent", "status 200")
        return token

    def _headed(self, response: requests.Response) -> None:
        self._dated(response.headers.get("Date", ""))
        self._answered(response.status_code)


@dataclass(frozen=True, slots=True)
class _MsalAnswer:
    """The parts of an answer that msal uses."""

    status_code: int
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


class TokenHttp:
    """Sends msal's token request below ``root`` and nothing else, and follows no redirect.

    ``answer`` is the last answer, which msal's errors lack.
    """

    def __init__(
        self,
        root: str,
        session: TimeoutSession,
        headed: Callable[[requests.Response], None] = lambda response: None,
    ) -> None:
        self.answer: Answer | None = None
        self._token_endpoint = f"{root}/token"
        endpoints = {
            "authorization_endpoint": f"{root}/authorize",
            "token_endpoint": self._token_endpoint,
        }
        self._endpoints = _MsalAnswer(200, json.dumps(endpoints))
        self._session = session
        self._headed = headed

    def get(self, _url: str, **_options: Any) -> _MsalAnswer:
        """Return the documented endpoints, which msal would look up: so no answer can lead the
        credential elsewhere."""
        return self._endpoints

    def post(self, url: str, **options: Any) -> _MsalAnswer:
        """Send the token request once. Raises ValueError for any other address, and `Unavailable`
        without a complete answer."""
        if url != self._token_endpoint:
            raise ValueError("a credential is sent to the token endpoint only")
        try:
            answer = self._session.exchange("POST", url, self._headed, **options)
        except Exception as error:  # libraries let any error out that an odd answer causes
            raise unavailable(error, url, "Entra ID gives ", NoToken) from error
        if answer.cut:
            raise NoToken("Entra ID's answer is over the limit", f"status {answer.status}")
        self.answer = answer
        text = answer.body.decode("utf-8", "replace")
        return _MsalAnswer(answer.status, _with_whole_seconds(text), answer.headers)


def _with_whole_seconds(text: str) -> str:
    """The answer ``text`` with lifetimes as msal reads them, which fails at any other form of a number. One that
    is no number is left out, and msal takes ten minutes instead."""
    try:
        members = codec.decode(text.encode())
    except ValueError:
        return text
    if not isinstance(members, dict):
        return text
    for name in _LIFETIMES & members.keys():
        try:
            members[name] = int(float(members[name]))
        except (TypeError, ValueError, OverflowError):
            del members[name]
    return codec.encode(members)
