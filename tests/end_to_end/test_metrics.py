"""The real process's metrics, compared with what the services saw."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from sandbox import Answer, Drop, Rule, make_row
from tests.end_to_end.conftest import OpenScene
from tests.end_to_end.scene import Scene

Samples = dict[tuple[str, str], float]


def scraped(scene: Scene) -> Samples:
    """Each sample by its name and its own label, the SDK's and the process's left out."""
    samples: Samples = {}
    for family in text_string_to_metric_families(scene.metrics()):
        for sample in family.samples:
            if sample.name.startswith("message_trace_"):
                samples[sample.name, ",".join(sample.labels.values())] = sample.value
    return samples


def total(samples: Samples, name: str) -> float:
    return sum(value for (each, _), value in samples.items() if each == name)


@pytest.fixture(scope="module")
def scene(open_scene: OpenScene) -> Scene:
    """A scene in which everything was delivered, with some faults on the way."""
    scene = open_scene()
    add = scene.world.faults.add
    add(Rule(Answer(503, headers={"Retry-After": "1"}), "reporting", nth=2))
    add(Rule(Answer(429, headers={"Retry-After": "1"}), "reporting", nth=4))
    add(Rule(Drop(), "intake", nth=2))
    scene.start()
    scene.wait_until_delivered()
    return scene


@pytest.fixture(scope="module")
def samples(scene: Scene) -> Samples:
    return scraped(scene)


def test_every_request_is_counted_by_what_came_of_it(scene: Scene, samples: Samples) -> None:
    request_log = scene.world.request_log
    name = "message_trace_requests_total"
    assert samples[name, "reporting,ok"] == request_log.count("reporting", 200)
    assert samples[name, "reporting,failed"] == request_log.count("reporting", 503) == 1
    assert samples[name, "reporting,throttled"] == request_log.count("reporting", 429) == 1
    assert samples[name, "intake,no_answer"] == 1
    assert samples[name, "intake,ok"] == request_log.count("intake", 200)
    assert samples[name, "intake,throttled"] == 0, "each outcome is there before it happens"
    assert samples[name, "entra,ok"] == request_log.count("entra", 200)
    assert total(samples, name) == sum(map(request_log.count, ("entra", "reporting", "intake")))


def test_rows_are_known_or_forwarded_and_forwarded_is_what_the_intake_has(
    scene: Scene, samples: Samples
) -> None:
    forwarded = total(samples, "message_trace_events_forwarded_total")
    assert forwarded == scene.world.intake.counts.events == scene.rows
    rows = total(samples, "message_trace_rows_read_total")
    assert rows == forwarded + total(samples, "message_trace_rows_known_total")
    assert total(samples, "message_trace_pages_total") >= rows / 200


def test_the_age_of_events_is_a_histogram(scene: Scene, samples: Samples) -> None:
    name = "message_trace_event_age_seconds"
    assert samples[name + "_count", ""] == scene.rows
    assert samples[name + "_bucket", "+Inf"] == scene.rows
    assert samples[name + "_bucket", "600.0"] == 0, "all mail of the scene is older"
    assert samples[name + "_bucket", "10800.0"] == scene.rows
    assert 600 < samples[name + "_sum", ""] / scene.rows < 10800


def test_how_long_rows_were_shown_is_told_of_fresh_and_late_ones_and_not_of_a_backlog(
    scene: Scene, samples: Samples
) -> None:
    """All mail of the scene is a backlog, until a row shows up late."""
    name = "message_trace_shown_seconds"
    bands = {label for each, label in samples if each == name + "_count"}
    assert bands == {"5m", "10m", "30m", "2h", "1d", "3d"}
    assert total(samples, name + "_count") == 0
    shown = scene.world.now() - timedelta(minutes=8)
    scene.world.tenant.add(make_row(shown))
    before = scene.rows
    after: Samples = {}

    def forwarded() -> bool:
        after.update(scraped(scene))
        return total(after, name + "_count") > 0

    scene.process.wait_until(forwarded, timeout=120)  # time is read again once a minute
    assert scene.rows == before
    counts = {label: value for (each, label), value in after.items() if each == name + "_count"}
    assert after[name + "_sum", "10m"] < 300, "since the last read that did not find it"
    assert counts == {**dict.fromkeys(bands, 0), "10m": 1}


def test_within_what_multiple_of_their_lateness_late_rows_are_found_is_a_gauge(
    samples: Samples,
) -> None:
    assert samples["message_trace_lateness_bound_ratio", ""] == pytest.approx(1 + 2 / 9)


def test_how_far_it_is_shows_in_gauges(scene: Scene, samples: Samples) -> None:
    now = scene.world.now().timestamp()
    assert 0 <= samples["message_trace_live_edge_behind_seconds", ""] < 120
    assert samples["message_trace_timedelta_seconds", ""] == 0
    assert samples["message_trace_frequency_seconds", ""] == 60
    assert now - 300 < samples["message_trace_last_delivery_timestamp_seconds", ""] <= now
    assert samples["message_trace_backlog_seconds", ""] == 0
    assert samples["message_trace_gap_seconds", ""] == 0
    assert now - 300 < samples["message_trace_last_read_timestamp_seconds", ""] <= now
    day = timedelta(days=1.3).total_seconds()
    assert now - day < samples["message_trace_final_timestamp_seconds", ""] < now
    assert (
        0 < samples["message_trace_quota_left", ""] < samples["message_trace_quota_limit", ""] < 90
    )
    refused = {value for (name, _), value in samples.items() if name == "message_trace_refused"}
    assert refused == {0.0}
    assert samples["message_trace_state_writes_total", ""] > 5
    assert samples["message_trace_state_failures_total", ""] == 0


def test_without_its_state_the_record_tells_what_is_known(open_scene: OpenScene) -> None:
    scene = open_scene()
    scene.start()
    scene.wait_until_delivered()
    scene.process.stop()
    for copy in scene.process.data.rglob("state-*.json"):
        copy.unlink()
    scene.start()
    scene.wait_until_started()
    rows, known = "message_trace_rows_read_total", "message_trace_rows_known_total"
    scene.process.wait_until(lambda: total(scraped(scene), rows) >= scene.rows)
    samples = scraped(scene)
    assert samples["message_trace_state_repairs_total", "state"] == 1
    assert total(samples, known) == total(samples, rows)
    assert (
        "message_trace_last_delivery_timestamp_seconds",
        "",
    ) not in samples, "not since the start"


def test_a_refusal_shows_and_so_does_the_time_that_passes(open_scene: OpenScene) -> None:
    scene = open_scene()
    scene.world.faults.add(Rule(Answer(403), "reporting", times=None))
    scene.start()
    refused, behind = "message_trace_refused", "message_trace_live_edge_behind_seconds"
    scene.wait_until_log("error")
    before = scraped(scene)
    assert before[refused, "live"] == 1
    scene.process.wait_until(lambda: scraped(scene)[behind, ""] > before[behind, ""] + 1)
    after = scraped(scene)
    denied = ("message_trace_requests_total", "reporting,refused")
    assert after[denied] == before[denied] == scene.world.request_log.count("reporting", 403)
    assert after["message_trace_last_read_timestamp_seconds", ""] == 0, "nothing was ever read"


def test_health_and_metrics_answer_while_others_hold_silent_connections(scene: Scene) -> None:
    with ExitStack() as stack:
        for port in ("LIVENESS_PORT", "METRICS_PORT"):
            address = ("127.0.0.1", int(scene.process.environment[port]))
            for _ in range(3):
                stack.enter_context(socket.create_connection(address))
        assert scene.health().status_code == 200
        assert "message_trace_requests_total" in scene.metrics()


def test_after_a_restart_with_a_damaged_copy_nothing_is_forwarded_again(scene: Scene) -> None:
    scene.process.stop()
    (copy,) = scene.process.data.rglob("state-1.json")
    copy.write_bytes(b"{")
    scene.world.intake.keys.clear()
    scene.start()
    scene.wait_until_started()
    repairs = "message_trace_state_repairs_total"
    scene.process.wait_until(lambda: scraped(scene).get((repairs, "copy")) == 1)
    assert total(scraped(scene), "message_trace_events_forwarded_total") == 0
