"""Entra ID: one directory with its applications, and tokens for client credentials.

Documented: the token endpoint of the v2.0 platform, the error envelope. A missing app permission
does not fail here: the token simply lacks the role, and the API refuses it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509

from sandbox.assertions import ASSERTION_TYPE, Assertion, check_certificate, check_federated
from sandbox.clock import Clock
from sandbox.entra_errors import EntraError
from sandbox.tokens import Tokens
from sandbox.wire import HTML, Request, Response, json_response
from sandbox.workload import Federated

EXCHANGE = "https://outlook.office365.com"
"""Resource of the Reporting Web Service (observed)."""
GRAPH = "https://graph.microsoft.com"
READ_REPORTS = "ReportingWebService.Read.All"
"""App role the Reporting Web Service wants (observed)."""
READ_TRACES = "ExchangeMessageTrace.Read.All"
"""App role that message traces of Graph want (documented)."""
GLOBAL_READER = "f2ef992c-3afb-46b9-b7cf-a126ee74c451"
"""Template id of the directory role Global Reader, as the `wids` claim carries it."""

_RESOURCES = {READ_REPORTS: EXCHANGE, READ_TRACES: GRAPH}
"""Whose role it is: a token carries those of its own resource only."""


@dataclass
class App:
    """An application of the directory; change its fields at any time, new tokens show it."""

    client_id: str
    secrets: dict[str, datetime | None]
    """Secret value to the instant it expires; None never does."""
    certificates: list[x509.Certificate] = field(default_factory=list)
    """Certificates uploaded to the registration."""
    federated: list[Federated] = field(default_factory=list)
    """Federated credentials of the registration."""
    roles: set[str] = field(default_factory=lambda: {READ_REPORTS, READ_TRACES})
    """App permissions with admin consent."""
    directory_roles: set[str] = field(default_factory=lambda: {GLOBAL_READER})
    """Template ids of directory roles assigned to the service principal."""


class Entra:
    """The directory and the tokens it gave. Safe from any thread.

    `forced` makes every token request fail with that error until it is set to None again.
    """

    name = "entra"

    def __init__(
        self,
        tenant_id: str,
        apps: list[App],
        now: Clock,
        *,
        domain: str = "contoso.onmicrosoft.com",
        token_lifetime: timedelta = timedelta(seconds=3599),
        seed: int = 1,
    ) -> None:
        self.tenant_id, self.domain, self.now = tenant_id, domain, now
        self.apps = {app.client_id: app for app in apps}
        self.token_lifetime = token_lifetime
        self.resources = {EXCHANGE, GRAPH}
        self.forced: EntraError | None = None
        self.base_url = "https://login.microsoftonline.com"
        self.assertions: list[str] = []
        """Every client assertion received, in order."""
        self._tokens = Tokens(seed)

    @property
    def issued(self) -> int:
        """How many tokens were given."""
        return self._tokens.issued

    def revoke_all(self) -> None:
        """Make every token given so far invalid."""
        self._tokens.revoke_all()

    def claims(self, token: str, audience: str) -> dict[str, Any] | None:
        """The claims of a token that is ours, for `audience`, not expired, not revoked."""
        return self._tokens.claims(token, audience, self.now())

    def handle(self, request: Request) -> Response:
        """Serve the token endpoint; anything else is 404."""
        parts = request.path.strip("/").split("/")
        tenant, rest = parts[0], "/".join(parts[1:]).lower()
        try:
            if rest == "oauth2/v2.0/token" and request.method == "POST":
                return json_response(200, self.authenticate(tenant, request.form()))
        except EntraError as error:
            return error.response(self.now(), self._tokens.trace(self.now()))
        return Response(404, b"<html><title>404 - Not found</title></html>", HTML)

    def authenticate(self, tenant: str, form: dict[str, str]) -> dict[str, Any]:
        """Check a token request and give a token, or raise `EntraError`."""
        if self.forced is not None:
            raise self.forced
        self._check_tenant(tenant)
        for name in ("grant_type", "client_id", "scope"):
            if not form.get(name):
                raise EntraError(900144, tenant=tenant, name=name)
        if form["grant_type"] != "client_credentials":
            raise EntraError(70003, tenant=tenant, name=form["grant_type"])
        scope, client_id = form["scope"], form["client_id"]
        resource = scope.removesuffix("/.default")
        if resource == scope or " " in scope:
            raise EntraError(70011, tenant=tenant, scope=scope)
        app = self.apps.get(client_id)
        if app is None:
            raise EntraError(700016, tenant=tenant, app=client_id)
        if "client_assertion" in form:
            self._check_assertion(tenant, app, form)
        else:
            self._check_secret(app, form.get("client_secret", ""))
        if resource not in self.resources:
            raise EntraError(500011, tenant=tenant, scope=resource)
        return self._give(app, resource)

    def _check_secret(self, app: App, secret: str) -> None:
        if not secret:
            raise EntraError(7000218)
        if secret not in app.secrets:
            raise EntraError(7000215, app=app.client_id)
        expires = app.secrets[secret]
        if expires is not None and expires <= self.now():
            raise EntraError(7000222, app=app.client_id)

    def _check_assertion(self, tenant: str, app: App, form: dict[str, str]) -> None:
        self.assertions.append(form["client_assertion"])
        if form.get("client_assertion_type") != ASSERTION_TYPE:
            raise EntraError(900144, tenant=tenant, name="client_assertion_type")
        assertion = Assertion.of(form["client_assertion"])
        if app.client_id in (assertion.claims.get("iss"), assertion.claims.get("sub")):
            endpoints = {
                f"{self.base_url}/{name}/oauth2/v2.0/token" for name in (tenant, self.tenant_id)
            }
            check_certificate(assertion, app.client_id, app.certificates, endpoints, self.now())
        else:
            check_federated(assertion, app.federated, self.now())

    def _give(self, app: App, resource: str) -> dict[str, Any]:
        now = self.now()
        lifetime = int(self.token_lifetime.total_seconds())
        token = self._tokens.give(
            {
                "aud": resource,
                "iss": f"https://sts.windows.net/{self.tenant_id}/",
                "iat": int(now.timestamp()),
                "exp": int(now.timestamp()) + lifetime,
                "appid": app.client_id,
                "tid": self.tenant_id,
                "roles": sorted(r for r in app.roles if _RESOURCES.get(r, resource) == resource),
                "wids": sorted(app.directory_roles),
            }
        )
        return {
            "token_type": "Bearer",
            "expires_in": lifetime,
            "ext_expires_in": lifetime,
            "access_token": token,
        }

    def _check_tenant(self, tenant: str) -> None:
        if tenant.lower() not in (self.tenant_id.lower(), self.domain.lower()):
            raise EntraError(90002, tenant=tenant)
