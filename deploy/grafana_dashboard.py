"""Prints the Grafana dashboard: `python deploy/grafana_dashboard.py > deploy/grafana-dashboard.json`.

The file is made, so that its panels stay alike; a test holds the two together.
"""

from __future__ import annotations

import json
from typing import Any

_WIDTH = 24  # columns of Grafana's grid
_HEIGHT = 7
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_CHOSEN = '{job=~"$job", instance=~"$instance"}'

COLOURS = {
    "{{outcome}}": {
        "ok": "green",
        "throttled": "orange",
        "refused": "purple",
        "failed": "red",
        "no_answer": "dark-red",
    },
    "{{pass}}": {
        "live": "blue",
        "re-read": "purple",
        "backlog": "yellow",
        "confirm": "super-light-blue",
    },
    "failures": {"failures": "red"},
    "refused by the intake": {"refused by the intake": "orange"},
    "left out in the end": {"left out in the end": "red"},
    "backlog {{instance}}": {"backlog .*": "yellow"},
}
"""Colours of series, by legend: what is well is green, what fails is red, and a pass has one colour everywhere."""


def main() -> None:
    print(json.dumps(dashboard(), indent=2))


def dashboard() -> dict[str, Any]:
    """The whole dashboard, in the model that Grafana 9 and later read."""
    rows = (
        ("Health", HEALTH),
        ("Flow", FLOW),
        ("Freshness", FRESHNESS),
        ("Microsoft", MICROSOFT),
        ("Sekoia.io intake and state", DELIVERY),
    )
    panels: list[dict[str, Any]] = []
    top = 0
    for title, row in rows:
        panels.append(
            {
                "id": len(panels) + 1,
                "type": "row",
                "title": title,
                "collapsed": False,
                "gridPos": {"x": 0, "y": top, "w": _WIDTH, "h": 1},
                "panels": [],
            }
        )
        width = _WIDTH // len(row)
        for column, panel in enumerate(row):
            position = {"x": column * width, "y": top + 1, "w": width, "h": _HEIGHT}
            panels.append({"id": len(panels) + 1, "gridPos": position, **panel})
        top += _HEIGHT + 1
    return {
        "title": "Microsoft 365 message trace",
        "uid": "message-trace",
        "description": "One instance is one trigger. docs/metrics.md explains each metric.",
        "tags": ["sekoia.io", "microsoft-365"],
        "schemaVersion": 39,
        "version": 1,
        "editable": True,
        "timezone": "utc",
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {
            "list": [
                {"name": "datasource", "type": "datasource", "query": "prometheus"},
                _choice("job", "label_values(message_trace_live_edge_behind_seconds, job)"),
                _choice(
                    "instance",
                    'label_values(message_trace_live_edge_behind_seconds{job=~"$job"}, instance)',
                ),
            ]
        },
        "annotations": {"list": []},
        "panels": panels,
    }


def _choice(name: str, query: str) -> dict[str, Any]:
    return {
        "name": name,
        "type": "query",
        "datasource": _SOURCE,
        "query": {"query": query, "refId": name},
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "current": {"text": "All", "value": "$__all"},
    }


def _panel(
    kind: str, title: str, unit: str, *queries: tuple[str, str], **options: Any
) -> dict[str, Any]:
    """A panel of `queries`, each an expression (CHOSEN stands for the selection) and its legend."""
    heatmap = kind == "heatmap"
    return {
        "type": kind,
        "title": title,
        "datasource": _SOURCE,
        "targets": [
            {
                "refId": chr(ord("A") + number),
                "datasource": _SOURCE,
                "expr": expression.replace("CHOSEN", _CHOSEN),
                "legendFormat": legend,
                "format": "heatmap" if heatmap else "time_series",
            }
            for number, (expression, legend) in enumerate(queries)
        ],
        "fieldConfig": {
            "defaults": {"unit": unit, **options},
            "overrides": [
                _coloured(series, colour)
                for _, legend in queries
                for part, series_colours in COLOURS.items()
                if legend.endswith(part)
                for series, colour in series_colours.items()
            ],
        },
        "options": {"calculate": False, "yAxis": {"unit": unit}} if heatmap else {},
    }


def _coloured(series: str, colour: str) -> dict[str, Any]:
    """Gives the series whose name ends with ``series``, a pattern, its colour."""
    return {
        "matcher": {"id": "byRegexp", "options": f"/(^| ){series}$/"},
        "properties": [{"id": "color", "value": {"mode": "fixed", "fixedColor": colour}}],
    }


def _shown(share: float) -> str:
    """For how long so large a share of the rows can have been shown, by age, over half an hour."""
    buckets = "rate(message_trace_shown_seconds_bucketCHOSEN[30m])"
    return f"histogram_quantile({share}, sum by (age, le) ({buckets}))"


def _steps(*limits: tuple[float | None, str]) -> dict[str, Any]:
    """Thresholds: from which value on which colour holds."""
    return {"mode": "absolute", "steps": [{"value": v, "color": color} for v, color in limits]}


HEALTH = (
    _panel(
        "stat",
        "Fresh mail is overdue by",
        "s",
        (
            "clamp_min(message_trace_live_edge_behind_secondsCHOSEN"
            " - message_trace_timedelta_secondsCHOSEN - message_trace_frequency_secondsCHOSEN, 0)",
            "{{instance}}",
        ),
        thresholds=_steps((None, "green"), (900, "yellow"), (1800, "red")),
    ),
    _panel(
        "stat",
        "Complete up to",
        "dateTimeAsIso",
        ("(message_trace_final_timestamp_secondsCHOSEN > 0) * 1000", "{{instance}}"),
    ),
    _panel(
        "stat",
        "Backlog",
        "s",
        ("message_trace_backlog_secondsCHOSEN", "{{instance}}"),
        thresholds=_steps((None, "green"), (3600, "yellow")),
    ),
    _panel(
        "stat",
        "Declared gaps",
        "s",
        ("message_trace_gap_secondsCHOSEN", "{{instance}}"),
        thresholds=_steps((None, "green"), (0.001, "red")),
    ),
    _panel(
        "stat",
        "Refused",
        "none",
        ("max without (pass) (message_trace_refusedCHOSEN)", "{{instance}}"),
        thresholds=_steps((None, "green"), (1, "red")),
    ),
    _panel(
        "stat",
        "Last window read",
        "s",
        ("time() - (message_trace_last_read_timestamp_secondsCHOSEN > 0)", "{{instance}}"),
        thresholds=_steps((None, "green"), (5400, "red")),
    ),
)

FLOW = (
    _panel(
        "timeseries",
        "Events forwarded, by pass",
        "cpm",
        (
            "sum by (pass) (rate(message_trace_events_forwarded_totalCHOSEN[$__rate_interval]) * 60)",
            "{{pass}}",
        ),
        (
            "sum(rate(message_trace_events_refused_totalCHOSEN[$__rate_interval]) * 60) > 0",
            "refused by the intake",
        ),
        (
            "sum(rate(message_trace_events_left_out_totalCHOSEN[$__rate_interval]) * 60) > 0",
            "left out in the end",
        ),
    ),
    _panel(
        "timeseries",
        "Rows read, and of them known",
        "cpm",
        (
            "sum(rate(message_trace_rows_read_totalCHOSEN[$__rate_interval]) * 60)",
            "read",
        ),
        (
            "sum(rate(message_trace_rows_known_totalCHOSEN[$__rate_interval]) * 60)",
            "known",
        ),
    ),
    _panel(
        "heatmap",
        "Age of events when they were forwarded",
        "s",
        (
            "sum by (le) (increase(message_trace_event_age_seconds_bucketCHOSEN[$__rate_interval]))",
            "{{le}}",
        ),
    ),
    _panel(
        "timeseries",
        "Behind, and backlog",
        "s",
        ("message_trace_live_edge_behind_secondsCHOSEN", "behind {{instance}}"),
        (
            "message_trace_timedelta_secondsCHOSEN + message_trace_frequency_secondsCHOSEN",
            "expected {{instance}}",
        ),
        ("message_trace_backlog_secondsCHOSEN", "backlog {{instance}}"),
    ),
)

FRESHNESS = (
    _panel(
        "timeseries",
        "Shown before they were forwarded: half of the rows",
        "s",
        (_shown(0.5), "{{age}} old at most"),
        custom={"scaleDistribution": {"type": "log", "log": 10}},
    ),
    _panel(
        "timeseries",
        "Shown before they were forwarded: 99 of 100 rows",
        "s",
        (_shown(0.99), "{{age}} old at most"),
        custom={"scaleDistribution": {"type": "log", "log": 10}},
    ),
    _panel(
        "timeseries",
        "Bound of late rows, in times their lateness",
        "none",
        ("message_trace_lateness_bound_ratioCHOSEN", "{{instance}}"),
        thresholds=_steps((None, "green"), (3.001, "yellow")),
    ),
)

MICROSOFT = (
    _panel(
        "timeseries",
        "Requests in five minutes, by outcome",
        "none",
        (
            "sum by (api, outcome) (increase(message_trace_requests_total"
            '{job=~"$job", instance=~"$instance", api!="intake"}[5m])) > 0',
            "{{api}} {{outcome}}",
        ),
    ),
    _panel(
        "timeseries",
        "Request budget",
        "none",
        ("message_trace_quota_limitCHOSEN", "limit {{instance}}"),
        ("message_trace_quota_leftCHOSEN", "left {{instance}}"),
    ),
    _panel(
        "timeseries",
        "Pages, by pass",
        "cpm",
        (
            "sum by (pass) (rate(message_trace_pages_totalCHOSEN[$__rate_interval]) * 60)",
            "{{pass}}",
        ),
    ),
)

DELIVERY = (
    _panel(
        "timeseries",
        "Batches, by outcome",
        "cpm",
        (
            "sum by (outcome) (rate(message_trace_requests_total"
            '{job=~"$job", instance=~"$instance", api="intake"}[$__rate_interval]) * 60) > 0',
            "{{outcome}}",
        ),
    ),
    _panel(
        "stat",
        "Last delivery",
        "s",
        ("time() - (message_trace_last_delivery_timestamp_secondsCHOSEN > 0)", "{{instance}}"),
    ),
    _panel(
        "timeseries",
        "Writes to the storage",
        "cpm",
        (
            "sum(rate(message_trace_state_writes_totalCHOSEN[$__rate_interval]) * 60)",
            "writes",
        ),
        (
            "sum(rate(message_trace_state_failures_totalCHOSEN[$__rate_interval]) * 60)",
            "failures",
        ),
    ),
    _panel(
        "stat",
        "Damage repaired since the start",
        "none",
        ("sum by (damage) (message_trace_state_repairs_totalCHOSEN)", "{{damage}}"),
        thresholds=_steps((None, "green"), (1, "yellow")),
    ),
)


if __name__ == "__main__":
    main()
