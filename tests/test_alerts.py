"""Each alert fires when it should and is silent when all is well, over an hour or some of samples."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

FILE = Path(__file__).parents[1] / "deploy" / "alerts.yml"
RULES: dict[str, dict[str, Any]] = {
    rule["alert"]: rule for rule in yaml.safe_load(FILE.read_text())["groups"][0]["rules"]
}

needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="Prometheus' promtool evaluates the rules"
)

WELL = {
    "up": "1x4000",
    "process_start_time_seconds": "-90000x4000",
    "message_trace_live_edge_behind_seconds": "90x4000",
    "message_trace_timedelta_seconds": "60x4000",
    "message_trace_frequency_seconds": "60x4000",
    "message_trace_lateness_bound_ratio": "1x4000",
    "message_trace_last_read_timestamp_seconds": "0+60x4000",
    "message_trace_backlog_seconds": "0x4000",
    "message_trace_gap_seconds": "0x4000",
    'message_trace_refused{pass="live"}': "0x4000",
    'message_trace_refused{pass="re-read"}': "0x4000",
    'message_trace_requests_total{api="graph",outcome="ok"}': "0+5x4000",
    'message_trace_requests_total{api="intake",outcome="ok"}': "0+2x4000",
    "message_trace_quota_left": "70x4000",
    "message_trace_quota_limit": "90x4000",
    "message_trace_events_refused_total": "0x4000",
    "message_trace_events_left_out_total": "0x4000",
    "message_trace_state_failures_total": "0x4000",
}


@dataclass(frozen=True)
class Case:
    """What is otherwise than `WELL`, and the alerts that fire at `minute`."""

    name: str
    changed: dict[str, str | None]
    minute: int
    firing: set[str]


def case(name: str, minute: int, *firing: str, **changed: str | None) -> Case:
    """A case; a name's `message_trace_` is left out."""
    own = ("up", "process_start_time_seconds")
    full = {key if key in own else f"message_trace_{key}": value for key, value in changed.items()}
    return Case(name, full, minute, {f"MessageTrace{each}" for each in firing})


FAILED = 'requests_total{api="intake",outcome="failed"}'
TAKEN = 'requests_total{api="intake",outcome="ok"}'
THROTTLED = 'requests_total{api="graph",outcome="throttled"}'
BEHIND, READ = "live_edge_behind_seconds", "last_read_timestamp_seconds"
DECLARED = "gap_declared_timestamp_seconds"
KILLED = " ".join(f"{180 * n}x2" for n in range(133))
NOTHING: dict[str, str | None] = {
    key.removeprefix("message_trace_"): None for key in WELL if key.startswith("message_trace_")
}
"""Of a process that serves no metrics of the collection."""

NEW_POD: dict[str, str | None] = {
    **{key: f"_x200 {value.removesuffix('000')}" for key, value in WELL.items()},
    "process_start_time_seconds": "_x200 12000x200",
    "message_trace_last_read_timestamp_seconds": "_x200 12000+60x200",
    "message_trace_gap_seconds": "_x200 7200x200",
}
RESET: dict[str, str | None] = {
    "process_start_time_seconds": "-90000x199 12000x200",
    'message_trace_requests_total{api="graph",outcome="ok"}': "0+5x199 0+5x200",
    'message_trace_requests_total{api="graph",outcome="throttled"}': "300x199 0x200",
    'message_trace_requests_total{api="intake",outcome="ok"}': "0+2x199 0+2x200",
    'message_trace_requests_total{api="intake",outcome="failed"}': "50x199 0x200",
    "message_trace_events_refused_total": "40x199 0x200",
    "message_trace_events_left_out_total": "2x199 0x200",
    "message_trace_state_failures_total": "9x199 0x200",
}

CASES = [
    case("all is well", 390),
    case("a long backlog shrinks", 300, backlog_seconds="2592000-3600x400", quota_left="2x400"),
    case(
        "the longest frequency",
        118,
        frequency_seconds="3600x400",
        **{READ: "0x59 3600x59 7200x280", BEHIND: "60+60x59 " * 7},
    ),
    case("the guide's timedelta", 390, timedelta_seconds="86400x400", **{BEHIND: "86430x400"}),
    case("an old gap is known", 390, gap_seconds="7200x400"),
    *[
        Case(f"a new pod with an old gap, after {minute - 200} minutes", NEW_POD, minute, set())
        for minute in (205, 240, 390)
    ],
    Case("counters begin again after a restart", RESET, 205, set()),
    case(
        "started a minute ago",
        121,
        process_start_time_seconds="-9x100 _x19 7200x280",
        **{READ: "0+60x100 _x19 6000x280", BEHIND: "90x100 _x19 90x280"},
    ),
    case("one of two answers no scrape", 80, "Down", up="1x20 0x380", **{BEHIND: "90x20 _x380"}),
    case("one of two is down for days", 3900, "Down", up="1x20 0x4000", **{BEHIND: "90x20 _x4000"}),
    case("a target never answered", 15, "Down", **(NOTHING | {"up": "0x400"})),
    case("it answers and does not collect", 15, "Down", **NOTHING),
    case("it answers and does not collect yet", 5, **NOTHING),
    case(
        "a life of a minute, again and again",
        60,
        "Down",
        "Restarts",
        **(NOTHING | {"up": "0 1 0 " * 133, "process_start_time_seconds": None}),
    ),
    case("killed every three minutes", 100, "Restarts", process_start_time_seconds=KILLED),
    case(
        "stopped and started again every ten minutes, two times",
        130,
        up="1x100 0 1x10 0 1x280",
        process_start_time_seconds="-9x100 _ 6000x10 _ 6720x280",
    ),
    case("it answers again", 120, up="1x20 0x80 1x300", **{BEHIND: "90x20 _x80 90x300"}),
    case("no window is read", 100, "Stalled", **{READ: "0+60x50 3000x350"}),
    case("no window was ever read", 100, "Stalled", **{READ: "0x400"}),
    case("not for half an hour yet", 75, **{READ: "0+60x50 3000x350"}),
    case("a pass is refused", 40, "Refused", **{'refused{pass="re-read"}': "0x30 1x370"}),
    case("refused for a moment", 40, **{'refused{pass="re-read"}': "0x30 1x3 0x370"}),
    case("a gap is declared", 130, "Gap", **{DECLARED: "_x120 7200x280"}),
    case("the alert of a gap ends", 200, **{DECLARED: "_x120 7200x280"}),
    case("another gap", 230, "Gap", **{DECLARED: "_x120 7200x100 13200x180"}),
    case("back with a gap after three hours", 270, "Gap", **{DECLARED: "_x240 14400x160"}),
    case("the loop waits", 120, "Behind", **{BEHIND: "90x60 90+60x340"}),
    case(
        "more mail than can be read",
        300,
        "BacklogGrows",
        backlog_seconds="0+30x400",
        quota_left="2x400",
    ),
    case(
        "refused, and the backlog grows by steps",
        300,
        "BacklogGrows",
        backlog_seconds=" ".join(f"{600 * n}x10" for n in range(40)),
    ),
    case(
        "the intake takes nothing",
        120,
        "IntakeFailing",
        **{FAILED: "0x50 0+1x350", TAKEN: "0+2x50 100x350"},
    ),
    case("the intake takes some", 120, **{FAILED: "0x50 0+1x350"}),
    case("some events are refused", 120, "EventsRefused", events_refused_total="0x50 0+1x350"),
    case("some were refused for a moment", 120, events_refused_total="0x50 3x350"),
    case("events are left out", 130, "EventsLeftOut", events_left_out_total="0x120 2x280"),
    case("the alert of events ends", 200, events_left_out_total="0x120 2x280"),
    case("the storage fails", 60, "StorageFailing", state_failures_total="0x40 0+1x360"),
    case("the storage failed twice", 60, state_failures_total="0x40 2x360"),
    case(
        "the budget is spent as it comes back",
        200,
        "QuotaExhausted",
        quota_left="70x100 " + "0 1 0 3 0 0 2 " * 43,
    ),
    case(
        "the largest tenants spend all of it as planned",
        200,
        lateness_bound_ratio="2x400",
        quota_left="1x400",
    ),
    case("late rows are found late", 230, "RereadRarely", lateness_bound_ratio="1x100 4x300"),
    case("the bound is at its promise", 390, lateness_bound_ratio="3x400"),
    case("late rows were found late for an hour", 230, lateness_bound_ratio="1x100 4x60 1x300"),
    case("others spend of the quota", 200, "Throttled", **{THROTTLED: "0x100 0+1x300"}),
]


def written(given: Case) -> dict[str, str]:
    """All series of a case, of the instance ``a``; ``b`` is another one, in good health."""
    series: dict[str, str] = {}
    for instance, values in (("a", {**WELL, **given.changed}), ("b", WELL)):
        for key, value in values.items():
            name, _, rest = key.partition("{")
            labels = f'job="message-trace",instance="{instance}"'
            if value is not None:
                series[f"{name}{{{labels}{',' if rest else ''}{rest.rstrip('}')}}}"] = value
    return series


def fire_exactly(series: dict[str, str], minute: int, firing: dict[str, str], folder: Path) -> None:
    """Have promtool evaluate the alerts over ``series``: those in ``firing`` fire at ``minute``, each for an
    instance, and no others."""
    expected = [
        {"labels": f'{{alertname="{name}"{instance and f",instance={instance!r}"}}}', "value": 1}
        for name, instance in sorted(firing.items())
    ]
    query = {
        "expr": 'max by (alertname, instance) (ALERTS{alertstate="firing"})',
        "eval_time": f"{minute}m",
        "exp_samples": expected,
    }
    promtool_passes(series, folder, promql_expr_test=[query])


def promtool_passes(series: dict[str, str], folder: Path, **tests: list[dict[str, Any]]) -> None:
    """Have promtool evaluate the rules over ``series``, and ``tests`` of its kinds over that."""
    given = [{"series": key, "values": values} for key, values in series.items()]
    test = {"interval": "1m", "input_series": given, **tests}
    file = folder / "cases.yml"
    file.write_text(
        json.dumps({"rule_files": [str(FILE)], "evaluation_interval": "1m", "tests": [test]})
    )
    command = ["promtool", "test", "rules", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.parametrize("given", CASES, ids=lambda each: each.name)
def test_exactly_the_right_alerts_fire_for_the_instance_that_is_meant(
    given: Case, tmp_path: Path
) -> None:
    fire_exactly(written(given), given.minute, dict.fromkeys(given.firing, "a"), tmp_path)


def test_every_alert_fires_in_some_case() -> None:
    assert set(RULES) == {name for given in CASES for name in given.firing}


@needs_promtool
@pytest.mark.parametrize(("minute", "firing"), [(29, False), (31, True)])
def test_no_collector_at_all_is_an_alert(minute: int, firing: bool, tmp_path: Path) -> None:
    series = {'message_trace_live_edge_behind_seconds{instance="a"}': "90 _x60"}
    fire_exactly(series, minute, {"MessageTraceDown": ""} if firing else {}, tmp_path)


LISTED = {
    f'message_trace:tenant{{tenant="{name}"}}': "1x60" for name in ("contoso", "fabrikam", "new")
}
TARGETS = {
    f'{metric}{{job="message-trace",instance="{instance}",tenant="{tenant}"}}': values
    for metric, instance, tenant, values in (
        ("up", "a", "contoso", "1x60"),
        ("message_trace_live_edge_behind_seconds", "a", "contoso", "90x60"),
        ("up", "b", "fabrikam", "0x60"),
    )
}


@needs_promtool
def test_an_alert_names_the_tenant_and_the_instance_where_they_are_known(tmp_path: Path) -> None:
    """A tenant of the list whose target is down has both; one without a target has no instance."""
    rule = RULES["MessageTraceDown"]
    description = rule["annotations"]["description"]
    known = [
        ({"job": "message-trace", "instance": "b", "tenant": "fabrikam"}, " of fabrikam at b"),
        ({"tenant": "new"}, " of new"),
    ]
    expected = [
        {
            "exp_labels": labels | {"severity": "critical"},
            "exp_annotations": {
                "summary": f"Message trace{who}: nothing is collected.",
                "description": description,
            },
        }
        for labels, who in known
    ]
    case = {"alertname": "MessageTraceDown", "eval_time": "30m", "exp_alerts": expected}
    promtool_passes(LISTED | TARGETS, tmp_path, alert_rule_test=[case])


@pytest.mark.parametrize("name", RULES)
def test_every_alert_begins_with_whom_it_is_about(name: str) -> None:
    who = "{{ with $labels.tenant }} of {{ . }}{{ end }}{{ with $labels.instance }} at {{ . }}{{ end }}"
    assert RULES[name]["annotations"]["summary"].startswith(f"Message trace{who}: ")
