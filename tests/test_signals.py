"""Metrics, dashboard, alerts and their document say the same, in PromQL that parses."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml

from office365_message_trace.monitoring.counting import OUTCOMES

ROOT = Path(__file__).parents[1]
DOCUMENT = (ROOT / "docs" / "metrics.md").read_text()
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text())
RULES: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text())[
    "groups"
][0]["rules"]
NAME = re.compile(r"\bmessage_trace_\w+")
SUFFIXES = ("_bucket", "_sum", "_count", "_created")


def registered() -> dict[str, tuple[str, set[str]]]:
    """Type and labels of each metric, as a scrape shows them, from a process of its own."""
    script = (
        "from office365_message_trace.monitoring.metrics import Metrics\n"
        "from prometheus_client import REGISTRY\n"
        "import json\n"
        "from office365_message_trace.clock import SystemClock\n"
        "from office365_message_trace.collect.coverage import Kind, Policy\n"
        "from datetime import UTC, datetime, timedelta\n"
        "from threading import Event\n"
        "policy = Policy(*[timedelta(minutes=n) for n in (5, 1, 60)])\n"
        "t = Metrics('key', policy, SystemClock(Event(), lambda: None))\n"
        "t.request('graph', 'ok')\n"
        "t.page(Kind.LIVE, 0, [], datetime.now(UTC))\n"
        "print(json.dumps([[f.name, f.type, sorted({l for s in f.samples for l in s.labels})]"
        " for f in REGISTRY.collect() if f.name.startswith('message_trace_')]))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return {
        name + ("_total" if kind == "counter" else ""): (kind, set(labels) - {"le"})
        for name, kind, labels in json.loads(done.stdout)
    }


@pytest.fixture(scope="module")
def metrics() -> dict[str, tuple[str, set[str]]]:
    return registered()


def expressions() -> Iterator[str]:
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            expression = str(target["expr"])
            yield expression.replace("$__rate_interval", "5m").replace("$job", ".*").replace(
                "$instance", ".*"
            )
    for rule in RULES:
        yield str(rule["expr"])


def base(name: str) -> str:
    for suffix in SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def test_the_document_lists_every_metric_with_type_and_labels(
    metrics: dict[str, tuple[str, set[str]]],
) -> None:
    rows = re.findall(r"^\| `(message_trace_\w+)` \| (\w+) \|([^|]*)\|", DOCUMENT, re.MULTILINE)
    told = {name: (kind, set(re.findall(r"\w+", labels))) for name, kind, labels in rows}
    assert told == metrics


def test_every_metric_is_on_the_dashboard_and_no_other(
    metrics: dict[str, tuple[str, set[str]]],
) -> None:
    used = {base(name) for name in NAME.findall(json.dumps(DASHBOARD))}
    assert used == set(metrics)


def test_alerts_use_metrics_that_are_there(metrics: dict[str, tuple[str, set[str]]]) -> None:
    assert {base(name) for rule in RULES for name in NAME.findall(rule["expr"])} <= set(metrics)


@pytest.mark.parametrize("expression", sorted(set(expressions())))
def test_every_expression_is_promql(expression: str) -> None:
    assert promql_parser.parse(expression) is not None


def test_expressions_select_labels_and_values_that_are_there(
    metrics: dict[str, tuple[str, set[str]]],
) -> None:
    known = {"job", "instance", "le"} | {
        label for _, labels in metrics.values() for label in labels
    }
    values = {"entra", "reporting", "graph", "intake"}
    values |= set(OUTCOMES)
    for expression in expressions():
        for label, value in re.findall(r'(\w+)(?:=~|!=|=)"([^"]*)"', expression):
            assert label in known
            assert value == ".*" or set(value.split("|")) <= values
        for group in re.findall(r"(?:by|without) \(([^)]*)\)", expression):
            assert set(re.findall(r"\w+", group)) <= known


def test_the_dashboard_is_what_its_script_makes() -> None:
    script = [sys.executable, "deploy/grafana_dashboard.py"]
    made = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert made == (ROOT / "deploy" / "grafana-dashboard.json").read_text()


def test_panels_fill_the_grid_and_have_ids_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert 0 <= place["x"] < place["x"] + place["w"] <= 24
        own = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not own & cells
        cells |= own
    assert {"datasource", "job", "instance"} == {
        each["name"] for each in DASHBOARD["templating"]["list"]
    }


def test_the_picture_shows_every_panel_of_the_dashboard() -> None:
    picture = (ROOT / "docs" / "dashboard.svg").read_text()
    shown = re.findall(r"<text[^>]*>([^<]*)</text>", picture)
    assert {panel["title"] for panel in DASHBOARD["panels"]} <= set(shown)


def test_series_have_the_colours_that_they_mean() -> None:
    found: dict[str, set[str]] = {}
    for panel in DASHBOARD["panels"]:
        for each in panel.get("fieldConfig", {}).get("overrides", []):
            name = each["matcher"]["options"].removeprefix("/(^| )").removesuffix("$/")
            found.setdefault(name, set()).add(each["properties"][0]["value"]["fixedColor"])
    assert all(len(colours) == 1 for colours in found.values()), "one colour each, everywhere"
    assert (found["ok"], found["failed"]) == ({"green"}, {"red"})
    outcomes = re.search(r"requests to `entra`[^|]+", DOCUMENT)
    assert outcomes
    told = set(re.findall(r"`(\w+)`", outcomes[0])) - {"entra", "reporting", "graph", "intake"}
    passes = re.search(r"The label `pass` is ([^.]+)", DOCUMENT)
    assert passes
    assert found.keys() >= told | set(re.findall(r"`([\w-]+)`", passes[1]))


@pytest.mark.parametrize("name", ["dashboard.svg", "time-range.svg"])
def test_a_picture_can_be_read_in_light_and_dark(name: str) -> None:
    drawn = (ROOT / "docs" / name).read_text()
    light, dark = drawn.split("@media (prefers-color-scheme: dark) {")
    assert not re.search(r'(?:fill|stroke)="#', drawn), "colours stand in the styles"
    for colour in ("paper", "quiet"):
        assert re.search(rf"\.{colour} {{", light)
        assert re.search(rf"\.{colour} {{", dark)


def test_every_alert_is_documented_and_says_what_to_do() -> None:
    rows = re.findall(r"^\| `(MessageTrace\w+)` \| (\w+) \|", DOCUMENT, re.MULTILINE)
    assert rows == [(rule["alert"], rule["labels"]["severity"]) for rule in RULES]
    for rule in RULES:
        assert rule["annotations"]["summary"].endswith(".")
        assert len(rule["annotations"]["description"]) > 30
