"""A real Prometheus scrapes a real process: its queries and rules find what they are about."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from sandbox.ports import unclaimed_ports
from tests.end_to_end.scene import OpenScene

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
EXPRESSIONS = sorted(
    {target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())}
)
VARIABLES = [
    each["query"]["query"] for each in DASHBOARD["templating"]["list"] if each["type"] == "query"
]
CHOICES = {
    "$job": ".*message-trace.*",
    "$tenant": ".*",
    "$instance": ".*",
    "$__rate_interval": "5s",
}
GAP_DECLARED = "gap_declared_timestamp_seconds"
"""Absent, because the scene has no gap."""

pytestmark = pytest.mark.skipif(
    not shutil.which("prometheus"), reason="Prometheus evaluates the dashboard's queries"
)


class Prometheus:
    """A server that is asked by its address."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1/"

    def ask(self, path: str, **parameters: str) -> Any:
        """The data of an answer, which has to be a success."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.get(self._url + path, params=parameters, timeout=10).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[dict[str, Any]]:
        return list(self.ask("query", query=expression)["result"])


@pytest.fixture(scope="module")
def prometheus(
    open_scene: OpenScene, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Prometheus]:
    """Has scraped a trigger that has collected, and in vain another one."""
    scene = open_scene()
    scene.start()
    scene.wait_until_delivered()
    port, silent = unclaimed_ports(2)
    folder = tmp_path_factory.mktemp("prometheus")
    targets = {"contoso": scene.process.environment["METRICS_PORT"], "fabrikam": silent}
    configuration = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(DEPLOY / "alerts.yml")],
        "scrape_configs": [
            {
                "job_name": "message-trace",
                "static_configs": [
                    {"targets": [f"127.0.0.1:{each}"], "labels": {"tenant": tenant}}
                    for tenant, each in targets.items()
                ],
            }
        ],
    }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(configuration))
    command = [
        "prometheus",
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stderr=log) as process:
        try:
            server = Prometheus(port)
            wait_until_scraped(server)
            yield server
        finally:
            process.terminate()


def wait_until_scraped(server: Prometheus) -> None:
    """Return once each target was scraped a few times."""
    for _ in range(300):
        with suppress(requests.RequestException):  # it is not ready yet
            if len(server.query("count_over_time(up[1m]) >= 5")) == 2:
                return
        time.sleep(0.1)
    raise TimeoutError("Prometheus scrapes nothing")


def chosen(text: str) -> str:
    for variable, value in CHOICES.items():
        text = text.replace(variable, value)
    return text


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_query_of_the_dashboard_finds_something(
    prometheus: Prometheus, expression: str
) -> None:
    found = prometheus.query(chosen(expression).removesuffix(" > 0"))
    assert bool(found) != (GAP_DECLARED in expression)


@pytest.mark.parametrize("variable", VARIABLES)
def test_every_variable_of_the_dashboard_has_values(prometheus: Prometheus, variable: str) -> None:
    selector, _, label = chosen(variable).removeprefix("label_values(").rstrip(")").rpartition(", ")
    values = prometheus.ask(f"label/{label}/values", **{"match[]": selector})
    assert len(values) == (1 if label == "job" else 2)


def test_the_table_shows_who_collects(prometheus: Prometheus) -> None:
    (table,) = [each for each in DASHBOARD["panels"] if each["type"] == "table"]
    found = prometheus.query(chosen(table["targets"][1]["expr"]))
    assert {each["metric"]["tenant"]: each["value"][1] for each in found} == {
        "contoso": "1",
        "fabrikam": "0",
    }


def test_every_rule_is_evaluated_and_only_the_silent_target_is_about_to_fire(
    prometheus: Prometheus,
) -> None:
    (group,) = prometheus.ask("rules")["groups"]
    assert {rule["health"] for rule in group["rules"]} == {"ok"}
    alerts = prometheus.ask("alerts")["alerts"]
    assert [(each["labels"]["alertname"], each["labels"]["tenant"]) for each in alerts] == [
        ("MessageTraceDown", "fabrikam")
    ]
