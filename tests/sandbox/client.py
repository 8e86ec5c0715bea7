"""A plain client of the sandbox, for its tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from urllib.parse import quote, urljoin

import requests

from sandbox import Sandbox

REPORT = "/ecp/reportingwebservice/reporting.svc/MessageTrace"


class Client:
    """Talks to a running sandbox over TLS, trusting its authority only."""

    def __init__(self, world: Sandbox) -> None:
        self.world = world
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.verify = str(world.ca_file)

    def close(self) -> None:
        """Close the connections."""
        self.session.close()

    def form(self, **changes: str | None) -> dict[str, str]:
        """The form of a good token request, with changes; None leaves a field out."""
        who = self.world.identity
        form: dict[str, str | None] = {
            "client_id": who.client_id,
            "client_secret": who.client_secret,
            "grant_type": "client_credentials",
            "scope": "https://outlook.office365.com/.default",
            **changes,
        }
        return {name: value for name, value in form.items() if value is not None}

    def ask_token(self, tenant: str | None = None, **changes: str | None) -> requests.Response:
        """POST to the token endpoint."""
        tenant = tenant or self.world.identity.tenant_id
        url = f"{self.world.url('entra')}/{tenant}/oauth2/v2.0/token"
        return self.session.post(url, data=self.form(**changes), timeout=10)

    def token(self) -> str:
        """A fresh token."""
        token: str = self.ask_token().json()["access_token"]
        return token

    def get(self, link: str, token: str | None = None, **headers: str) -> requests.Response:
        """GET a link of the reporting service, absolute or relative to the report."""
        url = urljoin(self.world.url("reporting") + REPORT, link)
        sent = {"Authorization": f"Bearer {token or self.token()}", **headers}
        return self.session.get(url, headers=sent, timeout=10)

    def trace(
        self,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        form: str | None = "json",
        token: str | None = None,
        accept: str = "*/*",
        **options: str,
    ) -> requests.Response:
        """GET the report for a window; `options` are named without their dollar sign."""
        if start is not None and end is not None:
            options.setdefault("filter", window(start, end))
        if form is not None:
            options["format"] = form
        query = "&".join(f"${name}={quote(value)}" for name, value in options.items())
        return self.get(f"{REPORT}?{query}", token, Accept=accept)

    def pages(self, start: datetime, end: datetime, **options: Any) -> list[list[dict[str, Any]]]:
        """Every page of a window in verbose JSON, following the server's links."""
        token = self.token()
        body = self.trace(start, end, token=token, **options).json()["d"]
        pages = [body["results"]]
        while "__next" in body:
            body = self.get(body["__next"], token).json()["d"]
            pages.append(body["results"])
        return pages


def window(start: datetime, end: datetime) -> str:
    """The filter for a window, as most clients spell it."""
    first, last = (each.isoformat().replace("+00:00", "Z") for each in (start, end))
    return f"StartDate eq datetime'{first}' and EndDate eq datetime'{last}'"
