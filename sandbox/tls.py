"""A certificate authority made at start, for 127.0.0.1 and localhost only."""

from __future__ import annotations

import ssl
from pathlib import Path

import trustme

HOSTS = ("127.0.0.1", "localhost")


def make_context(ca_file: Path) -> ssl.SSLContext:
    """A server context for `HOSTS`; the authority's certificate is written to `ca_file` (PEM)."""
    authority = trustme.CA(organization_name="Message trace sandbox")
    authority.cert_pem.write_to_path(ca_file)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    authority.issue_cert(*HOSTS).configure_cert(context)
    return context
