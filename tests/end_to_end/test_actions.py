"""Each action from a process of its own, as the platform starts it, and many of them in one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from sandbox import Answer, MailFlowOptions, Rule, Sandbox, SandboxOptions, make_row
from sandbox.process import ROOT, run_action
from tests.end_to_end.tracker import open_tracker

ID = "00000000-0000-4000-8000-00000000beef"
MESSAGE: dict[str, Any] = {
    "SenderAddress": "canary.sender@evil.example",
    "MessageId": "<canary.phish@evil.example>",
    "MessageTraceId": ID,
    "Subject": "canary's parcel",
    "FromIP": "203.0.113.199",
}
SEARCH, DETAILS, RECIPIENTS = (
    "search_message_trace",
    "get_message_trace_details",
    "find_message_recipients",
)
QUESTIONS: dict[str, dict[str, Any]] = {
    SEARCH: {
        "sender": "@evil.example",
        "subject": "Canary's",
        "status": ["delivered", "failed"],
        "limit": 5000,
    },
    DETAILS: {"trace_id": ID, "recipient": "canary.0@contoso.example"},
    RECIPIENTS: {"message_id": "<canary.phish@evil.example>"},
}


@pytest.fixture(scope="module", params=[False, True], ids=["configuration", "platform's secrets"])
def world(request: pytest.FixtureRequest) -> Iterator[Sandbox]:
    """A message to 1500, and another one; the secret is in the configuration or given by the platform."""
    options = SandboxOptions(
        mail=MailFlowOptions(messages_per_minute=0), secrets_by_node=request.param
    )
    with Sandbox(options) as world:
        world.graph.options.recipients_shown = 1000
        received = world.now() - timedelta(hours=1)
        world.tenant.add(
            make_row(received),
            *(
                make_row(received, RecipientAddress=f"canary.{n}@contoso.example", **MESSAGE)
                for n in range(1500)
            ),
        )
        yield world
    assert world.failures == []


def told(world: Sandbox) -> dict[str, Any]:
    """What the platform was told last; before that it was told that the action runs."""
    running, finished = world.playbook.callbacks[-2:]
    assert running["status"] == "running"
    assert finished["status"] == "finished"
    return finished


@pytest.fixture
def home(world: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The module's folder: if the platform keeps secrets, the manifest says which."""
    manifest = json.loads((ROOT / "manifest.json").read_text())
    if world.options.secrets_by_node:
        manifest["configuration"]["secrets"] = ["client_secret", "client_certificate"]
    folder = tmp_path_factory.mktemp("home")
    (folder / "manifest.json").write_text(json.dumps(manifest))
    for name in ("main.py", "office365_message_trace"):
        (folder / name).symlink_to(ROOT / name)
    return folder


@pytest.mark.parametrize("action", QUESTIONS)
def test_an_action_answers_and_tells_nobody_else(
    world: Sandbox, home: Path, tmp_path: Path, action: str
) -> None:
    with open_tracker() as tracker:
        world.faults.add(Rule(Answer(503, b"canary"), "graph"))  # a warning, which is reported
        done = run_action(world, tmp_path, action, QUESTIONS[action], home, SENTRY_DSN=tracker.dsn)
    assert done.returncode == 0, done.stdout
    finished = told(world)
    assert "error" not in finished
    results = finished["results"]
    assert results["complete"]
    match action:
        case "search_message_trace":
            assert (results["total"], results["requests"]) == (1500, 4)
        case "get_message_trace_details":
            assert [each["event"] for each in results["events"]] == ["Receive", "Submit", "Deliver"]
        case "find_message_recipients":
            assert (results["total"], results["requests"]) == (1500, 3)
            assert len(results["addresses"]) == 1500
    seen = {
        "output": done.stdout,
        "logs": finished["logs"],
        "error tracker": b"".join(tracker.envelopes).decode(errors="replace"),
        **{str(each): each.read_text() for each in tmp_path.rglob("*") if each.is_file()},
    }
    assert any("quota.json" in place for place in seen)
    assert tracker.envelopes
    secret = world.identity.client_secret
    for place, text in seen.items():
        assert "canary" not in text, place
        assert secret not in text, place


@pytest.mark.parametrize(
    ("action", "arguments", "parts"),
    [
        (
            SEARCH,
            {"sender": "canary", "limit": "canary", "canaries": 1, "start": "canary"},
            ["sender is neither", "limit is no whole", "canaries is no argument", "start is not a"],
        ),
        (DETAILS, {}, ["trace_id is missing", "recipient is missing"]),
        (RECIPIENTS, {"subject": "canary"}, ["the message is missing"]),
        (RECIPIENTS, ["canary"], ["they are not a JSON object"]),
    ],
)
def test_all_mistakes_in_arguments_are_one_error(
    world: Sandbox, tmp_path: Path, action: str, arguments: Any, parts: list[str]
) -> None:
    before = world.request_log.count("graph")
    run_action(world, tmp_path, action, arguments)
    finished = told(world)
    assert finished.get("results") is None
    for part in ("The arguments cannot be used: ", *parts):
        assert part in finished["error"]
    assert "canary" not in finished["error"]
    assert "Traceback" not in finished["error"]
    assert world.request_log.count("graph") == before


def test_a_module_without_credentials_says_what_to_enter(world: Sandbox, tmp_path: Path) -> None:
    arguments = {"sender": "wrong"}
    run_action(world, tmp_path, SEARCH, arguments, MODULE_CONFIGURATION="{}")
    assert "sender is neither an address" in told(world)["error"]
    run_action(
        world, tmp_path, DETAILS, QUESTIONS[DETAILS], MODULE_CONFIGURATION='{"client_id": "x"}'
    )
    assert "tenant_id is missing; enter a value." in told(world)["error"]


@pytest.mark.parametrize(
    ("variables", "sentence"),
    [
        ({"ARGUMENTS": "canary{"}, "they are not a JSON object"),
        ({"ARGUMENTS": ""}, "they are not a JSON object"),
        ({"MODULE_CONFIGURATION": '["canary"]'}, "module_configuration is not a JSON object"),
        ({"MODULE_CONFIGURATION": "canary{"}, "module_configuration is not a JSON object"),
    ],
    ids=str,
)
def test_what_is_no_json_object_is_one_sentence(
    world: Sandbox, tmp_path: Path, variables: dict[str, str], sentence: str
) -> None:
    run_action(world, tmp_path, SEARCH, {}, ROOT, ROOT / "main.py", **variables)
    error = told(world)["error"]
    assert sentence in error
    assert "Traceback" not in error
    assert "canary" not in error


def test_a_refusal_is_one_error_that_says_who_does_what(
    world: Sandbox, home: Path, tmp_path: Path
) -> None:
    said = json.dumps({"error": {"code": "Forbidden", "message": "canary"}}).encode()
    world.faults.add(Rule(Answer(403, said), "graph"))
    run_action(world, tmp_path, SEARCH, {}, home)
    error = told(world)["error"]
    assert "Grant admin consent" in error
    assert "canary" not in error


@pytest.mark.parametrize(
    ("action", "where"),
    [
        (SEARCH, "microsoft.graph:GraphClient:first_url"),
        (DETAILS, "microsoft.graph:GraphClient:details"),
        (RECIPIENTS, "actions.reading:Reading:_matched"),
    ],
)
def test_a_defect_is_one_error_without_its_text(
    world: Sandbox, home: Path, tmp_path: Path, action: str, where: str
) -> None:
    main = Path(__file__).with_name("defective.py")
    with open_tracker() as tracker:
        done = run_action(
            *(world, tmp_path, action, QUESTIONS[action], home, main),
            DEFECT=f"caught:{where}",
            SENTRY_DSN=tracker.dsn,
        )
    finished = told(world)
    assert finished["error"].startswith("An unexpected fault ended the action. Report this to")
    assert "RuntimeError at defective.py" in finished["error"]
    assert tracker.envelopes
    reported = b"".join(tracker.envelopes).decode(errors="replace")
    for text in (done.stdout, json.dumps(finished), reported):
        assert "canary" not in text
        assert world.identity.client_secret not in text


IN_ONE_PROCESS = """
import runpy, sys
import flask

app = flask.Flask("fission")

@app.route("/", methods=["POST"])
def action():
    sys.argv = ["main.py"]
    runpy.run_path("main.py", run_name="__main__")
    return "done"

client = app.test_client()
for line in sys.stdin:
    import json, threading
    name, configuration = json.loads(line)
    answers = []
    def work():
        answers.append(client.post("/", json=configuration, headers={"command": name}))
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    print(answers[0].status_code, flush=True)
"""
"""A server as Fission's, which runs the module's main file for each request, in a thread."""


def test_one_process_runs_many_actions(world: Sandbox, home: Path, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    state.write_text(json.dumps({"filepath": str(home)}))
    lines = []
    environment = {**os.environ}
    for action in (*QUESTIONS, *QUESTIONS, "unknown"):
        variables = world.action_environment(QUESTIONS.get(action, {}))
        names = ("MODULE_CONFIGURATION", "ARGUMENTS", "TOKEN", "URL_CALLBACK")
        lines.append(json.dumps([action, {name.lower(): variables[name] for name in names}]))
        environment |= {n: v for n, v in variables.items() if n not in names}
    before = len(world.playbook.callbacks)
    done = subprocess.run(
        [sys.executable, "-c", IN_ONE_PROCESS],
        cwd=ROOT,
        env={
            **environment,
            "PYTHONPATH": f"{ROOT / 'sandbox' / 'volume'}",
            "SANDBOX_DATA_FOLDER": str(tmp_path),
            "SYMPHONY_RUNTIME": "fission",
            "FISSION_STATE_FILE_PATH": str(state),
        },
        input="\n".join(lines),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.stdout.split() == ["200"] * 7, done.stderr
    results = [each for each in world.playbook.callbacks[before:] if each["status"] == "finished"]
    assert len(results) == 6
    assert all("error" not in each and each["results"]["complete"] for each in results), results
    for each in results:
        assert each["logs"].count("\n") == 1, "each has its own lines only"
