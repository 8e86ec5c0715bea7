"""Addresses of Microsoft's services in each cloud."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from office365_message_trace.errors import ConfigurationMistakes
from office365_message_trace.transport.addresses import UNSAFE_URL, is_safe_url

Cloud = Literal["global", "gcc_high", "china"]


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base addresses of the services, and the scopes of tokens for them, in the global cloud."""

    login: str = "https://login.microsoftonline.com"
    reporting: str = "https://reports.office365.com"
    graph: str = "https://graph.microsoft.com"
    reporting_scope: str = "https://outlook.office365.com/.default"
    graph_scope: str = "https://graph.microsoft.com/.default"

    @classmethod
    def of(cls, cloud: Cloud, environment: Mapping[str, str] = os.environ) -> "Endpoints":
        """The services of ``cloud``. ``MESSAGE_TRACE_LOGIN_URL``, ``MESSAGE_TRACE_REPORTING_URL`` and
        ``MESSAGE_TRACE_GRAPH_URL`` override them, as for a local sandbox. Raises
        `ConfigurationMistakes` for an unsafe address."""
        chosen = {
            name: environment.get(f"MESSAGE_TRACE_{name.upper()}_URL")
            for name in ("login", "reporting", "graph")
        }
        mistakes = [
            f"MESSAGE_TRACE_{name.upper()}_URL {UNSAFE_URL}"
            for name, url in chosen.items()
            if url and not is_safe_url(url)
        ]
        if mistakes:
            raise ConfigurationMistakes(mistakes)
        return replace(CLOUDS[cloud], **{n: url.rstrip("/") for n, url in chosen.items() if url})


CLOUDS: dict[Cloud, Endpoints] = {
    "global": Endpoints(),
    "gcc_high": Endpoints(
        login="https://login.microsoftonline.us",
        reporting="https://outlook.office365.us",
        reporting_scope="https://outlook.office365.us/.default",
    ),
    "china": Endpoints(
        login="https://login.chinacloudapi.cn",
        reporting="https://partner.outlook.cn",
        reporting_scope="https://partner.outlook.cn/.default",
    ),
}
"""The clouds to choose from; docs/clouds.md lists the unverified addresses. Graph has message trace in the
global one only. Login hosts: learn.microsoft.com/graph/deployments."""
