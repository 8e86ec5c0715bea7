"""Compose, Kubernetes and the image agree with one another, with the settings and with the SDK."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import requests
import yaml
from sekoia_automation.configuration.filesystem import FileSystemConfiguration
from sekoia_automation.module import Module, ModuleItem
from sekoia_automation.trigger import Trigger

from office365_message_trace.settings import OAuthSettings, parse
from sandbox.ports import unclaimed_ports
from tests.end_to_end.scene import Scene
from tests.s3 import s3_server

ROOT = Path(__file__).parents[1]
DEPLOY = ROOT / "deploy"
KUBERNETES = DEPLOY / "kubernetes"
STAND_IN = KUBERNETES / "playbook_api.py"
DOCKERFILE = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
OBJECTS = ["configmap.yaml", "deployment.yaml", "networkpolicy.yaml", "secret.example.yaml"]
VERSIONS = ["1.29", kubernetes_validate.latest_version()]
PLATFORM = {
    Module.MODULE_CONFIGURATION_FILE_NAME,
    Trigger.TRIGGER_CONFIGURATION_FILE_NAME,
    ModuleItem.TOKEN_FILE_NAME,
    ModuleItem.CALLBACK_URL_FILE_NAME,
    ModuleItem.INTAKE_URL_FILE_NAME,
}
S3 = {
    "file_backend",
    "aws_s3_endpoint_url",
    "aws_default_region",
    "aws_bucket_name",
    "aws_access_key_id",
    "aws_secret_access_key",
}


def loaded(path: Path) -> Any:
    return yaml.safe_load(path.read_text())


KUSTOMIZATION = loaded(KUBERNETES / "kustomization.yaml")
CONFIG_MAP = loaded(KUBERNETES / "configmap.yaml")
SECRET = loaded(KUBERNETES / "secret.example.yaml")
DEPLOYMENT = loaded(KUBERNETES / "deployment.yaml")
POD = DEPLOYMENT["spec"]["template"]["spec"]
CONTAINERS = {each["name"]: each for each in POD["containers"]}
TRIGGER = CONTAINERS["trigger"]
COMPOSE = loaded(DEPLOY / "compose.yml")
SERVICES = COMPOSE["services"]

containers = pytest.mark.parametrize("container", CONTAINERS.values(), ids=CONTAINERS)
services = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)


def commands() -> set[str]:
    """The triggers that main.py registers."""
    return set(
        re.findall(r'module\.register\(\w+Trigger, "(\w+)"\)', (ROOT / "main.py").read_text())
    )


def version() -> str:
    return str(json.loads((ROOT / "manifest.json").read_text())["version"])


@pytest.mark.parametrize("kubernetes", VERSIONS)
@pytest.mark.parametrize("name", OBJECTS)
def test_every_object_is_valid_in_old_and_new_kubernetes(name: str, kubernetes: str) -> None:
    used = kubernetes_validate.validate(loaded(KUBERNETES / name), kubernetes, strict=True)
    assert kubernetes.startswith(used)


def test_no_object_names_a_namespace() -> None:
    for name in OBJECTS:
        assert "namespace" not in loaded(KUBERNETES / name)["metadata"]
    assert "namespace" not in KUSTOMIZATION


def test_kustomization_takes_every_object_but_the_example() -> None:
    assert {*KUSTOMIZATION["resources"]} == {path.name for path in KUBERNETES.glob("*.yaml")} - {
        "kustomization.yaml",
        "secret.example.yaml",
    }
    (generator,) = KUSTOMIZATION["configMapGenerator"]
    assert generator["files"] == [STAND_IN.name]
    (image,) = KUSTOMIZATION["images"]
    assert {each["image"] for each in CONTAINERS.values()} == {image["name"]}
    assert image["newTag"] == version()


def test_what_the_pod_refers_to_is_there() -> None:
    volumes = {volume["name"]: volume for volume in POD["volumes"]}
    mounted = {mount["name"] for each in CONTAINERS.values() for mount in each["volumeMounts"]}
    assert mounted == set(volumes)
    assert volumes["settings"]["secret"]["secretName"] == SECRET["metadata"]["name"]
    (generator,) = KUSTOMIZATION["configMapGenerator"]
    assert volumes["playbook-api"]["configMap"]["name"] == generator["name"]
    assert TRIGGER["envFrom"] == [{"configMapRef": {"name": CONFIG_MAP["metadata"]["name"]}}]
    (mount,) = CONTAINERS["playbook-api"]["volumeMounts"]
    command = CONTAINERS["playbook-api"]["command"]
    assert command[:2] == ["python", f"{mount['mountPath']}/{STAND_IN.name}"]


def test_nobody_reaches_more_of_the_pod_than_the_metrics() -> None:
    policy = loaded(KUBERNETES / "networkpolicy.yaml")["spec"]
    assert policy["podSelector"] == DEPLOYMENT["spec"]["selector"]
    assert policy["policyTypes"] == ["Ingress"]
    (ingress,) = policy["ingress"]
    assert [each["port"] for each in ingress["ports"]] == ["metrics"]
    assert "metrics" in {port["name"] for port in TRIGGER["ports"]}
    assert CONTAINERS["playbook-api"]["command"][-1] == "127.0.0.1"


def test_one_process_owns_the_state_and_ends_no_sooner_than_the_next_one_starts() -> None:
    assert DEPLOYMENT["spec"]["replicas"] == 1
    rolling = {"maxSurge": 1, "maxUnavailable": 0}
    assert DEPLOYMENT["spec"]["strategy"] == {"type": "RollingUpdate", "rollingUpdate": rolling}
    assert "restartPolicy" not in POD  # Always: the next one may end, too
    assert "deploy" not in SERVICES["trigger"]
    assert "scale" not in SERVICES["trigger"]


def test_the_pod_runs_as_the_user_of_the_image() -> None:
    (uid,) = re.findall(r"useradd .*--uid (\d+)", DOCKERFILE)
    context = POD["securityContext"]
    assert context["runAsNonRoot"]
    assert context["runAsUser"] == context["runAsGroup"] == context["fsGroup"] == int(uid)
    assert context["seccompProfile"] == {"type": "RuntimeDefault"}
    assert POD["automountServiceAccountToken"] is False
    for service in ("trigger", "playbook-api"):
        assert SERVICES[service]["user"] == f"{uid}:{uid}"


@containers
def test_a_container_can_do_nothing_but_its_work(container: dict[str, Any]) -> None:
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert container["resources"]["limits"]["memory"]
    for mount in container["volumeMounts"]:
        assert mount.get("readOnly") or mount["mountPath"] == "/tmp"


@services
def test_a_service_can_do_nothing_but_its_work(service: dict[str, Any]) -> None:
    assert service["read_only"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    for port in service.get("ports", ()):
        assert port.startswith("127.0.0.1:")


def test_a_read_only_root_is_not_written_to_by_python() -> None:
    (variables,) = re.findall(r"^ENV (.*)", DOCKERFILE, re.MULTILINE)
    assert "PYTHONDONTWRITEBYTECODE=1" in variables.split()
    assert {"name": "tmp", "mountPath": "/tmp"} in TRIGGER["volumeMounts"]
    assert any(each.startswith("/tmp:") for each in SERVICES["trigger"]["tmpfs"])


def test_the_trigger_to_run_is_one_that_is_registered() -> None:
    assert re.findall(r"^ENTRYPOINT (.*)", DOCKERFILE, re.MULTILINE) == ['["python", "./main.py"]']
    for argument in (TRIGGER["args"], SERVICES["trigger"]["command"]):
        assert len(argument) == 1
        assert set(argument) <= commands()
    assert "command" not in TRIGGER
    assert "entrypoint" not in SERVICES["trigger"]


def test_health_and_metrics_are_where_they_are_asked_for() -> None:
    (health,) = re.findall(r"LIVENESS_PORT'\) or (\d+)", DOCKERFILE)
    ports = {port["name"]: str(port["containerPort"]) for port in TRIGGER["ports"]}
    assert ports["health"] == health == "8000"
    probe = TRIGGER["livenessProbe"]["httpGet"]
    assert probe == {"path": "/health", "port": "health"}
    annotations = DEPLOYMENT["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == ports["metrics"] == "8020"
    assert f"port {ports['metrics']}" in (ROOT / "docs" / "metrics.md").read_text()
    published = {port.rpartition(":")[2] for port in SERVICES["trigger"]["ports"]}
    assert published == set(ports.values())


def test_the_trigger_is_given_what_the_sdk_asks_for_and_nothing_else() -> None:
    names = {name.lower() for name in CONFIG_MAP["data"]} | set(SECRET["stringData"])
    assert names == PLATFORM | S3 | {"sub_folder"}
    environment = {name.lower() for name in SERVICES["trigger"]["environment"]}
    files = {Path(each["target"]).name for each in SERVICES["trigger"]["secrets"]}
    assert environment | files == PLATFORM | S3


def test_settings_are_files_where_the_sdk_looks_for_them() -> None:
    (mount,) = [each for each in TRIGGER["volumeMounts"] if each["name"] == "settings"]
    folder = FileSystemConfiguration.VOLUME_PATH
    assert mount["mountPath"] == folder
    (secret,) = SERVICES["trigger"]["secrets"]
    assert secret["target"] == f"{folder}/{Trigger.TRIGGER_CONFIGURATION_FILE_NAME}"
    source = Path(COMPOSE["secrets"][secret["source"]]["file"])
    assert (DEPLOY / source).with_suffix(".example.json").exists()


def test_nothing_secret_is_in_the_config_map_or_committed() -> None:
    assert not [name for name in CONFIG_MAP["data"] if "SECRET" in name or "KEY" in name]
    ignored = (DEPLOY / ".gitignore").read_text().splitlines()
    assert {"settings.json", "secret.yaml", ".env"} <= set(ignored)


def test_values_that_are_taken_as_they_are_have_no_line_break() -> None:
    for name in ("aws_access_key_id", "aws_secret_access_key"):
        assert SECRET["stringData"][name] == SECRET["stringData"][name].strip()


@pytest.mark.parametrize(
    "text",
    [SECRET["stringData"]["trigger_configuration"], (DEPLOY / "settings.example.json").read_text()],
    ids=["secret", "settings"],
)
def test_example_settings_are_settings(text: str) -> None:
    values = json.loads(text)
    assert set(values) <= set(OAuthSettings.model_fields)
    assert parse(OAuthSettings, values).tenant_id == values["tenant_id"]


def test_compose_joins_the_trigger_the_store_and_the_stand_in() -> None:
    trigger, store = SERVICES["trigger"], SERVICES["store"]
    given = trigger["environment"]
    assert given["URL_CALLBACK"] == "http://playbook-api:8080/callback"
    assert given["AWS_S3_ENDPOINT_URL"] == "http://store:7070"
    assert store["command"][1] == ":7070"
    assert given["AWS_ACCESS_KEY_ID"] == store["environment"]["ROOT_ACCESS_KEY_ID"]
    assert given["AWS_SECRET_ACCESS_KEY"] == store["environment"]["ROOT_SECRET_ACCESS_KEY"]
    assert given["AWS_SECRET_ACCESS_KEY"].startswith("${STORE_SECRET_KEY:?")
    (volume,) = store["volumes"]
    assert volume == f"state:{store['command'][-1]}/{given['AWS_BUCKET_NAME']}"
    assert set(trigger["depends_on"]) == {"store", "playbook-api"}
    assert SERVICES["playbook-api"]["healthcheck"] == {"disable": True}
    for service in ("trigger", "playbook-api"):
        assert SERVICES[service]["image"].endswith(f":{version()}")
        assert (DEPLOY / SERVICES[service]["build"] / "Dockerfile").exists()


def test_the_document_lists_every_variable_and_port() -> None:
    told = set(re.findall(r"^\| `([A-Z0-9_]+)` \|", OPERATIONS, re.MULTILINE))
    assert {name.upper() for name in PLATFORM | S3 | {"sub_folder"}} <= told
    for port in ("8000", "8020"):
        assert port in OPERATIONS


def test_commands_of_the_documents_run_on_older_dockers() -> None:
    """Docker before 23 takes a relative path in -v for the name of a volume."""
    for document in (ROOT / "docs").glob("*.md"):
        assert "-v ./" not in document.read_text()


def test_files_of_the_image_can_be_read_whatever_the_umask_of_the_checkout_was() -> None:
    copied = DOCKERFILE.rindex("\nCOPY ")
    assert copied < DOCKERFILE.index("\nRUN chmod -R u=rwX,go=rX .") < DOCKERFILE.index("\nUSER ")


@contextmanager
def stand_in() -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The stand-in on a port of its own: its process and its address, when it answers."""
    (port,) = unclaimed_ports(1)
    url = f"http://127.0.0.1:{port}"
    with subprocess.Popen([sys.executable, str(STAND_IN), str(port)]) as process:
        try:
            for _ in range(200):
                try:
                    requests.get(url, timeout=5)
                except requests.ConnectionError:
                    time.sleep(0.05)
                else:
                    break
            yield process, url
        finally:
            process.terminate()


def test_the_stand_in_reads_no_more_than_it_must() -> None:
    with stand_in() as (_, url):
        for headers in ({"Content-Length": str(2**40)}, {"Content-Length": "x"}):
            request = requests.Request("POST", url, headers=headers).prepare()
            request.headers.update(headers)
            with requests.Session() as session:
                assert session.send(request, timeout=5).status_code in (411, 413)
        assert requests.get(url, timeout=5).status_code == 200


def test_the_stand_in_has_no_secrets_takes_logs_and_stops_when_told() -> None:
    with stand_in() as (process, url):
        assert requests.get(f"{url}/secrets", timeout=5).json() == {}
        answer = requests.post(f"{url}/logs", json={"logs": [{"message": "ä"}]}, timeout=5)
        assert answer.json() == {}
        process.terminate()
        assert process.wait(5) == 0


def test_what_the_manifests_give_is_enough_to_collect_on_s3(tmp_path: Path) -> None:
    with (
        Scene(tmp_path, messages_per_minute=2) as scene,
        s3_server() as store,
        stand_in() as (_, url),
    ):
        environment = scene.process.environment
        for name in ("MODULE_CONFIGURATION", "TOKEN", "URL_CALLBACK", "URL_LOGS", "URL_SECRETS"):
            del environment[name]
        given = {name.upper() for name in {*CONFIG_MAP["data"], *SECRET["stringData"]}}
        constants = {name: CONFIG_MAP["data"][name] for name in ("MODULE_CONFIGURATION", "TOKEN")}
        environment.update(store, URL_CALLBACK=f"{url}/callback", **constants)
        assert given <= set(environment)
        assert set(store) <= given
        scene.start()
        scene.wait_until_delivered()
        assert scene.process.stop().status == 0
    assert scene.report().complete
