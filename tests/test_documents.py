"""What the documents say of settings, commands and files is what the code has."""

import ast
import json
import re
import shlex
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import cast, get_args

import pytest
import typer
from jsonschema import Draft7Validator

from office365_message_trace.cli.app import app
from office365_message_trace.microsoft.credentials import ClientCertificate
from office365_message_trace.microsoft.endpoints import Cloud
from office365_message_trace.microsoft.graph import FIRST_PARTY_APP, as_reporting_row
from office365_message_trace.microsoft.rows import GRAPH_ROWS
from office365_message_trace.sekoia.intake_formats import (
    CATALOGUE,
    INTAKE_FORMATS,
    EventFormat,
    IntakeFormat,
)
from office365_message_trace.settings import (
    BasicSettings,
    GraphSettings,
    MessageTraceSettings,
    OAuthSettings,
    parse,
)
from tests.command_line.test_document import options_of
from tests.model import test_model as model
from tests.parsers import READS, parsed

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
README = (ROOT / "README.md").read_text()
TRIGGERS = ["trigger_message_trace_oauth.json", "trigger_message_trace_basic.json"]
GRAPH_TRIGGER = "trigger_message_trace_graph.json"
MESSAGES = (ROOT / "docs" / "messages.md").read_text()
SETTINGS = (ROOT / "docs" / "settings.md").read_text()
ACTIONS = sorted(path.name for path in ROOT.glob("action_*.json"))
ARGUMENT = re.compile(r"^\| ((?:`\w+`(?:, )?)+) \|([^|]*)\|", re.MULTILINE)
SETTING = re.compile(r"^\| `(\w+)` \| ([^|]+) \| ([^|]+) \| ([^|]+) \| ([^|]+) \|$", re.MULTILINE)
MODELS: dict[str, type[MessageTraceSettings]] = {
    "Graph": GraphSettings,
    "OAuth": OAuthSettings,
    "basic": BasicSettings,
}
"""The triggers' settings, by the names that docs/settings.md gives them."""

COMMAND = re.compile(r"(?<!exec )(?<![\w-])message-trace (\w+)((?:[^`\n]|\\\n)*)")
FENCED = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
OTHER_WORDS = {
    "most_recent_date_requested",  # the former module's
    "no_answer",  # an outcome, in the metrics
    "push_events_to_intakes",  # the SDK's
}
"""Words that look like settings and are none."""

SIMULATION = ROOT / "tests" / "simulation" / "mutations.py"
SAFEGUARDS = set(re.findall(r"^def (\w+)\(patch: ", SIMULATION.read_text(), re.MULTILINE))
GUARANTEES = (ROOT / "docs" / "guarantees.md").read_text()


def arguments(*names: str) -> dict[str, dict[str, object]]:
    merged: dict[str, dict[str, object]] = {}
    for name in names or TRIGGERS:
        merged |= json.loads((ROOT / name).read_text())["arguments"]["properties"]
    return merged


def results(*names: str) -> dict[str, dict[str, object]]:
    merged: dict[str, dict[str, object]] = {}
    for name in names:
        merged |= json.loads((ROOT / name).read_text())["results"]["properties"]
    return merged


def fenced(document: Path, language: str) -> list[str]:
    """The fenced examples in a language."""
    return [text for found, text in FENCED.findall(document.read_text()) if found == language]


@pytest.mark.parametrize("trigger", [*TRIGGERS, GRAPH_TRIGGER])
def test_the_settings_table_lists_every_argument_with_its_default_and_bounds(trigger: str) -> None:
    listed = {name: (default, text) for name, _, _, default, text in SETTING.findall(SETTINGS)}
    assert set(listed) == {name for model in MODELS.values() for name in model.model_fields}
    reporting = arguments()
    for name, argument in arguments(trigger).items():
        default, text = listed[name]
        if "default" in argument:
            assert default == str(argument["default"])
        if "minimum" in argument:
            bounds = rf"\({argument['minimum']} to {reporting[name]['maximum']}"
            if argument["maximum"] != reporting[name]["maximum"]:
                bounds += f"; Graph: {argument['maximum']}"
            assert re.search(rf"{bounds}[;)]", text)
        for choice in cast(list[str], argument.get("enum", [])):
            assert f"`{choice}`" in text


def test_the_settings_table_says_which_triggers_a_setting_is_for() -> None:
    for name, _, triggers, _, text in SETTING.findall(SETTINGS):
        holders = {word for word, model in MODELS.items() if name in model.model_fields}
        if name == "cloud":
            assert "the Graph trigger takes `global` only" in text
            holders.remove("Graph")
        assert set(triggers.split(", ")) == (holders if holders != set(MODELS) else {"all"})


def test_the_settings_table_has_the_labels_of_the_forms() -> None:
    labels = {name: each["title"] for name, each in arguments(*TRIGGERS, GRAPH_TRIGGER).items()}
    for name, label, _, _, _ in SETTING.findall(SETTINGS):
        assert label == labels.get(name, "not in forms")


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_label_that_a_document_names_with_its_setting_is_the_form_s(document: Path) -> None:
    labels = {name: each["title"] for name, each in arguments(*TRIGGERS, GRAPH_TRIGGER).items()}
    text = " ".join(document.read_text().split())
    for label, name in re.findall(r"\*\*([^*]+)\*\* \(`(\w+)`\)", text):
        assert labels[name] == label


@pytest.mark.parametrize("name", ["README.md", "docs/installing.md"])
def test_a_table_of_triggers_has_the_names_of_the_forms_graph_first(name: str) -> None:
    text = (ROOT / name).read_text()
    names = [json.loads((ROOT / file).read_text())["name"] for file in (GRAPH_TRIGGER, *TRIGGERS)]
    told = re.findall(r"^ *\| \*\*([^*]+)\*\* \|", text, re.MULTILINE)
    assert told == names


def test_labels_are_alike_in_all_forms() -> None:
    forms = [arguments(file) for file in [*TRIGGERS, GRAPH_TRIGGER]]
    for name in set().union(*forms):
        assert len({str(form[name]["title"]) for form in forms if name in form}) == 1


@pytest.mark.parametrize("action", ACTIONS)
def test_the_document_of_actions_lists_every_argument_with_its_default(action: str) -> None:
    manifest = json.loads((ROOT / action).read_text())
    text = (ROOT / "docs" / "actions.md").read_text()
    section = text.split(f"## {manifest['name']}\n")[1].split("\n## ")[0]
    table = {
        name: default.strip()
        for names, default in ARGUMENT.findall(section)
        for name in re.findall(r"\w+", names)
    }
    assert set(table) == set(manifest["arguments"]["properties"])
    for name, argument in manifest["arguments"]["properties"].items():
        if "default" in argument and not manifest["arguments"]["required"]:
            assert table[name] == str(argument["default"])
    for name in manifest["results"]["properties"]:
        assert f"`{name}`" in text


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_make_command_in_the_documents_exists(document: Path) -> None:
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = re.findall(r"`make (\w+)|^make (\w+)", document.read_text(), re.MULTILINE)
    assert {one or other for one, other in named} <= targets


def test_the_list_of_make_commands_fits_a_terminal() -> None:
    listed = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "make demo" in listed
    assert max(map(len, listed.splitlines())) <= 80


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", document.read_text())
    assert all((document.parent / link).exists() for link in links)


def test_every_message_of_the_troubleshooting_table_is_one_that_the_code_can_say() -> None:
    sources = (ROOT / "office365_message_trace").rglob("*.py")
    said = re.sub(r'"\s*\n?\s*f?"', "", "\n".join(path.read_text() for path in sources))
    said = re.sub(r'\)?\s*\+?\s*\n\s*f?"', "", said)
    messages = re.findall(r"^\| `([^`]+)` \|", MESSAGES, re.MULTILINE)
    assert len(messages) > 15
    for message in messages:
        for part in filter(None, (piece.strip() for piece in message.split("…"))):
            assert part.strip(":. ") in said, part


EXPLAIN_THEMSELVES = {
    "client_id is not a GUID: enter the Application (client) ID.": "says what to enter",
    "client_secret is missing; enter the value of a client secret, or instead of it a "
    "client_certificate or, outside the platform, a federated_token_file.": "follows The configuration cannot be used",
    "… are entered; keep one of them and clear the others.": (
        "follows The configuration cannot be used"
    ),
    "The module has no credentials. Enter tenant_id, client_id and client_secret, or a "
    "client_certificate, in the configuration of the module.": "the error of an action",
    "The configuration of the module is empty, so there is nothing to test. That is no fault where each "
    "trigger has credentials of its own. For triggers without and for actions enter tenant_id, client_id "
    "and client_secret, or a client_certificate.": "the answer of the credential test",
    "An unexpected fault ended the test. Report this to the maintainers of this module with the text in "
    "brackets.": "the answer of the credential test",
    "Trying again for some minutes.": "follows the cause",
    "An unexpected fault ended the action. Report this to the maintainers of this module with the text "
    "in brackets.": "the error of an action",
    "Trying again until it works; nothing is lost meanwhile.": "follows the cause",
    "Trying again within the time limit.": "follows the cause",
    "… Its message trace id: …": "follows The intake does not accept one event",
    "The answer is in other words than the service's own: if a proxy or a gateway gives it, have "
    "its administrator let requests to the service pass.": "follows a refusal, and says who acts",
}
"""Sentences of warnings and errors that docs/messages.md leaves out, and why."""
PRINTED_OR_DOCUMENTED = {
    "cli",
    "checks",
    "metrics.py",
    "actions",
    "time_arguments.py",
    "formatting.py",
}
"""Parts of the package whose sentences are not logged."""


def logged_sentences(source: str) -> set[str]:
    """The sentences in ``source`` that may be logged as a warning or worse; ``…`` stands for values.

    A sentence ends with a full stop, and begins with a capital, a value or the name of a setting; other
    texts are parts of one. Mistakes of a configuration follow a sentence of their own.
    """
    tree = ast.parse(source)
    elsewhere = [
        node.value for node in ast.walk(tree) if isinstance(node, ast.Expr | ast.FormattedValue)
    ]
    skipped = {id(node) for node in elsewhere if isinstance(node, ast.Constant | ast.JoinedStr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            skipped |= {id(part) for part in node.values}
        if isinstance(node, ast.Call) and is_for_no_table(node):
            skipped |= {id(each) for each in ast.walk(node)}
    texts = [text_of(node) for node in ast.walk(tree) if id(node) not in skipped]
    sentence = re.compile(r"(?s)(?:[A-Z…]|[a-z]+_).*[a-z].*(?:\.|: …)(?: .*)?")
    return {text for text in texts if sentence.fullmatch(text) and " " in text}


def is_for_no_table(call: ast.Call) -> bool:
    """True for a call that logs at the level info, or that collects mistakes of a configuration."""
    name = ast.unparse(call.func).split(".")[-1]
    levels = {arg.value for arg in call.args if isinstance(arg, ast.Constant)}
    return name in {"info", "ConfigurationMistakes"} or "info" in levels


def text_of(node: ast.AST) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return re.sub(r"\{\w*\}", "…", str(cast(ast.Constant, node).value)) if is_text else ""


def test_every_warning_and_error_of_the_code_is_explained_or_explains_itself() -> None:
    rows = re.findall(r"^\| `([^`]+)` \|", MESSAGES, re.MULTILINE)
    assert len(rows) == len(set(rows))
    explained = [
        re.compile(".*".join(map(re.escape, row.removesuffix(": …").split("…")))) for row in rows
    ]
    package = ROOT / "office365_message_trace"
    logged = {
        sentence
        for path in package.rglob("*.py")
        if not PRINTED_OR_DOCUMENTED & {*path.relative_to(package).parts}
        for sentence in logged_sentences(path.read_text())
    }
    assert len(logged) > 60
    left = {text for text in logged if not any(row.search(text) for row in explained)}
    assert left == set(EXPLAIN_THEMSELVES)


def test_sentences_of_warnings_and_errors_are_found_in_the_code_and_no_others() -> None:
    source = '''
"""A module. It is documented."""
CONSTANT = "Storage {} is full. Empty it."
log("It goes on.", "info")
log(f"{name} is odd.", "warning")
raise Refused("The key is wrong.", f"status {status}")
raise ConfigurationMistakes(["The key is missing."])
raise Unavailable("no answer")
'''
    assert logged_sentences(source) == {
        "Storage … is full. Empty it.",
        "… is odd.",
        "The key is wrong.",
    }


def test_every_module_has_its_place_in_the_architecture_document() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text().split("## Layout")[1]
    modules = {path.stem for path in (ROOT / "office365_message_trace").rglob("*.py")}
    named = set(re.findall(r"\w+", text.split("```")[1]))
    assert modules - {"__init__", "__main__"} <= named


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_setting_that_a_document_names_is_one_of_an_item(document: Path) -> None:
    prose = FENCED.sub("", document.read_text())
    metric_module_or_test = "message_trace|symphony_module|test_"
    named = set(re.findall(rf"`((?!{metric_module_or_test})[a-z]+(?:_[a-z0-9]+)+)`", prose))
    settings = {name for model in MODELS.values() for name in model.model_fields}
    settings |= {*arguments(*ACTIONS), *results(*ACTIONS)}
    found = {**arguments(*ACTIONS), **results(*ACTIONS)}
    listed = {each for field in found.values() for each in cast(list[str], field.get("enum", []))}
    choices = {*get_args(Cloud), *get_args(EventFormat), *listed}
    modules = {path.stem for path in (ROOT / "office365_message_trace").rglob("*.py")}
    assert named - choices - modules - OTHER_WORDS - SAFEGUARDS <= settings


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_json_example_parses_and_gives_settings_values_that_they_take(
    document: Path,
) -> None:
    settings = arguments(*TRIGGERS, GRAPH_TRIGGER)
    form = {"properties": settings, "additionalProperties": False}
    for example in (json.loads(text) for text in fenced(document, "json")):
        if set(example) & set(settings):
            Draft7Validator(form).validate(example)


def test_the_two_forms_of_a_graph_row_are_what_the_trigger_makes_of_one_row() -> None:
    graph, reporting = map(json.loads, fenced(ROOT / "docs" / "migration.md", "json"))
    assert as_reporting_row(GRAPH_ROWS.row(*GRAPH_ROWS.dated(graph))) == reporting


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_that_a_command_in_the_documents_names_exists(document: Path) -> None:
    made_by_the_reader = (ROOT / "deploy" / ".gitignore").read_text().splitlines()
    for example in fenced(document, ""):
        for name in re.findall(r"\bdeploy/[\w./-]+", example):
            assert (ROOT / name).exists() or Path(name).name in made_by_the_reader, name


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_in_the_documents_exists_with_its_options(document: Path) -> None:
    for command, rest in COMMAND.findall(document.read_text()):
        options = re.findall(r"--[a-z-]+", rest.partition("|")[0])
        assert set(options) <= options_of(command)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_a_command_with_settings_from_a_file_names_the_trigger_that_these_do_not_tell(
    document: Path,
) -> None:
    for example in fenced(document, ""):
        for line in re.sub(r"\\\n\s*", "", example).splitlines():
            if re.search(r"\b(check|peek|run|replay)\b.* --config ", line):
                assert "--trigger " in line, line


@pytest.mark.parametrize(
    "file", [*DOCUMENTS, ROOT / "deploy" / "alerts.yml"], ids=lambda path: path.name
)
def test_the_command_goes_by_one_name(file: Path) -> None:
    assert "python -m office365_message_trace" not in file.read_text()


def test_the_guide_shows_every_command() -> None:
    shown = {name for document in DOCUMENTS for name, _ in COMMAND.findall(document.read_text())}
    group = typer.main.get_command(app)
    assert shown == set(group.commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_to_a_section_leads_to_its_heading(document: Path) -> None:
    for file, anchor in re.findall(r"\]\((?!https?://)([^)#]*)#([^)]+)\)", document.read_text()):
        target = (document.parent / file) if file else document
        assert anchor in anchors(target.read_text()), anchor


def anchors(text: str) -> set[str]:
    """Of the headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", FENCED.sub("", text), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_links_every_document() -> None:
    links = set(re.findall(r"\]\(docs/([\w-]+\.md)", README))
    assert links == {path.name for path in DOCUMENTS[1:]}


def openssl(command: str, folder: Path) -> None:
    subprocess.run(shlex.split(command), cwd=folder, check=True, capture_output=True)


def certificate_commands() -> list[str]:
    """The set-up's commands that make a certificate: one to have it signed, one that signs it itself."""
    text = (ROOT / "docs" / "setup.md").read_text().replace("\\\n", "")
    return re.findall(r"^ *(openssl .+)$", text, re.MULTILINE)


def entered(folder: Path) -> str:
    """What the set-up has one enter: the key and the certificate, one after the other."""
    return (folder / "key.pem").read_text() + (folder / "certificate.pem").read_text()


def test_a_certificate_that_an_authority_makes_of_the_request_can_be_entered(
    tmp_path: Path,
) -> None:
    request, _ = certificate_commands()
    openssl(request, tmp_path)
    openssl(
        "openssl req -x509 -newkey rsa:2048 -nodes -subj /CN=a -keyout a.key -out a.pem", tmp_path
    )
    openssl(
        "openssl x509 -req -in request.csr -CA a.pem -CAkey a.key -CAcreateserial -days 365 "
        "-out certificate.pem",
        tmp_path,
    )
    assert ClientCertificate.of(entered(tmp_path)).doubts(datetime.now(UTC)) == []


def test_a_certificate_that_signs_itself_can_be_entered(tmp_path: Path) -> None:
    _, command = certificate_commands()
    openssl(command, tmp_path)
    assert ClientCertificate.of(entered(tmp_path)).doubts(datetime.now(UTC)) == []


def test_the_service_principal_of_the_set_up_is_the_one_that_the_product_names() -> None:
    for name in ("setup.md", "migration.md", "troubleshooting.md"):
        text = (ROOT / "docs" / name).read_text()
        commands = re.findall(r"(?:-AppId|--id|appId eq) '?([0-9a-f-]{36})", text)
        assert set(commands) <= {FIRST_PARTY_APP}
        assert commands or name != "setup.md"


def test_the_readme_can_be_read_at_one_sitting_and_names_the_tests_and_the_promises() -> None:
    assert len(README.split()) < 900
    assert re.search(r"^make test\b", README, re.MULTILINE)
    assert "[Guarantees](docs/guarantees.md)" in README


def table(text: str) -> list[list[str]]:
    """The cells of the rows of the first table in ``text``, without its head."""
    lines = re.search(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert lines
    return [
        [cell.strip() for cell in line.strip("|\n").split("|")]
        for line in lines[0].splitlines()[2:]
    ]


INTAKE_FORMAT_OF = {
    (title, shape): CATALOGUE[shape or "reporting"]
    for title, shapes in (
        ("Graph API", get_args(EventFormat)),
        ("OAuth", ("",)),
        ("Message Trace", ("",)),
    )
    for shape in shapes
}
"""The format for each trigger, by the last words of its name, and event format."""


def test_the_settings_choose_the_intake_format_of_the_table() -> None:
    models = {"Graph API": "Graph", "OAuth": "OAuth", "Message Trace": "basic"}
    given = {
        **dict.fromkeys(("client_secret", "account_password", "intake_key"), "s"),
        **dict.fromkeys(("tenant_id", "client_id", "account_name"), "n"),
    }
    for (title, shape), chosen in INTAKE_FORMAT_OF.items():
        values = given | ({"event_format": shape} if shape else {})
        assert parse(MODELS[models[title]], values).intake_format == chosen.name


def test_the_set_up_names_the_intake_format_for_each_trigger_and_event_format() -> None:
    section = (ROOT / "docs" / "setup.md").read_text().split("### Which intake format")[1]
    told = {
        (trigger, event.split("`")[1] if "`" in event else ""): (
            IntakeFormat(name.strip("*"), uuid.strip("`"), *re.findall(r"[0-9-]{10}", advice))
        )
        for trigger, event, name, uuid, advice in table(section)
    }
    assert told == INTAKE_FORMAT_OF


def test_the_readme_names_the_same_formats() -> None:
    told = {
        (trigger, event.split("`")[1] if "`" in event else ""): advice
        for triggers, event, advice in table(README.split("reads the events at all:")[1])
        for trigger in triggers.split(", ")
    }
    assert told == {
        which: f"*{each.name}*, " + ("deprecated" if each.deprecated else "recommended")
        for which, each in INTAKE_FORMAT_OF.items()
    }


@pytest.mark.parametrize("shape", READS)
def test_the_fields_document_shows_what_the_parser_makes_of_an_event(shape: EventFormat) -> None:
    document = (ROOT / "docs" / "fields.md").read_text()
    section = document.split("## Graph rows" if shape == "graph" else "## Reporting rows")[1]
    texts = [text for _, text in FENCED.findall(section.split("\n## ")[0])]
    for event, result in zip(texts[::2], texts[1::2], strict=True):
        assert parsed(shape, event) == json.loads(result)
    told = {name.strip("`"): target.strip("`") for name, target in table(section)}
    assert told.keys() == json.loads(texts[0]).keys()
    assert {n: target for n, target in told.items() if target != "not read"} == READS[shape]


def test_the_fields_document_shows_one_row_in_both_shapes() -> None:
    texts = fenced(ROOT / "docs" / "fields.md", "json")
    graph, reporting = json.loads(texts[0]), json.loads(texts[2])
    row = GRAPH_ROWS.row(*GRAPH_ROWS.dated(graph))
    assert as_reporting_row(row, reporting["Organization"]) == reporting


@pytest.mark.parametrize("name", ["docs/migration.md", "docs/faq.md"])
def test_a_document_that_names_intake_formats_names_both_and_links_the_table(name: str) -> None:
    text = " ".join((ROOT / name).read_text().split())
    for intake_format in INTAKE_FORMATS.values():
        assert f"*{intake_format}*" in text
    assert "setup.md#which-intake-format" in text


@pytest.mark.parametrize("trigger", [*TRIGGERS, GRAPH_TRIGGER])
def test_the_forms_name_the_intake_format_that_reads_the_events(trigger: str) -> None:
    form = arguments(trigger)
    said = str(form["intake_key"]["description"])
    graph, reporting = INTAKE_FORMATS["graph"], INTAKE_FORMATS["reporting"]
    if "event_format" not in form:
        assert said.endswith(f"must be {reporting} (deprecated).")
        return
    assert f"{graph} if the event format chosen below is graph" in said
    assert f"{reporting} (deprecated) if it is reporting" in said
    choice = str(form["event_format"]["description"])
    assert f"graph, for an intake of the format {graph}," in choice
    assert f"reporting, for an intake of the format {reporting} (deprecated)," in choice


def test_every_test_that_the_guarantees_name_exists() -> None:
    sources = [path.read_text() for path in (ROOT / "tests").rglob("test_*.py")]
    existing = {
        name for text in sources for name in re.findall(r"^def (test_\w+)", text, re.MULTILINE)
    }
    named = set(re.findall(r"`(test_\w+)`", GUARANTEES))
    assert len(named) > 40
    assert named <= existing


def test_the_guarantees_name_every_mutation_and_every_exception_of_the_model() -> None:
    named = set(re.findall(r"`([a-z_]+)`", GUARANTEES))
    assert named >= SAFEGUARDS
    assert set(re.findall(r"`([A-Z_]+)`", GUARANTEES)) == {*model.MUTATIONS, *model.EXCEPTIONS}
