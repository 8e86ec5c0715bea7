"""The playbook API of the sandbox."""

from __future__ import annotations

import pytest
import requests

from tests.sandbox.client import Client


def call(client: Client, method: str, path: str, body: object = None) -> requests.Response:
    headers = {"Authorization": f"Bearer {client.world.identity.token}"}
    url = client.world.url("playbook") + path
    return client.session.request(method, url, json=body, headers=headers, timeout=10)


def test_secrets_are_given_as_value_and_node_value(client: Client) -> None:
    client.world.playbook.node_secrets = {"client_secret": "s"}
    body = call(client, "GET", "/secrets").json()
    assert body == {"value": {}, "node_value": {"client_secret": "s"}}


def test_logs_and_callbacks_are_recorded(client: Client) -> None:
    lines = [{"date": "d", "level": "error", "message": "m"}, {"level": "info", "message": "n"}]
    assert call(client, "POST", "/logs", {"logs": lines}).status_code == 200
    assert call(client, "POST", "/callback", {"name": "event"}).status_code == 200
    assert client.world.playbook.logs == lines
    assert client.world.playbook.messages("error", "critical") == ["m"]
    assert client.world.playbook.messages() == ["m", "n"]
    assert client.world.playbook.callbacks == [{"name": "event"}]


@pytest.mark.parametrize("path", ["/secrets", "/logs", "/callback"])
def test_nothing_is_served_without_the_token(client: Client, path: str) -> None:
    answer = client.session.get(client.world.url("playbook") + path, timeout=10)
    assert answer.status_code == 401


def test_other_paths_and_bodies_are_refused(client: Client) -> None:
    assert call(client, "GET", "/nothing").status_code == 404
    assert call(client, "POST", "/logs", []).status_code == 400
