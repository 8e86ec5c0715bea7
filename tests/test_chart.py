"""The Helm chart gives each tenant of a list what the manifests of one tenant have."""

from __future__ import annotations

import importlib.util
import json
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from tests.test_deploy import (
    CONFIG_MAP,
    DEPLOYMENT,
    PLATFORM,
    POD,
    S3,
    STAND_IN,
    TRIGGER,
    VERSIONS,
    commands,
    version,
)

DEPLOY = Path(__file__).parents[1] / "deploy"
CHART = DEPLOY / "helm"
OWN_KINDS = {"PodMonitor", "PrometheusRule"}  # of the Prometheus operator

HELM = shutil.which("helm")
pytestmark = pytest.mark.skipif(
    not HELM and not importlib.util.find_spec("helm_python"),
    reason="make helm installs what renders the chart",
)

VALUES: dict[str, Any] = {
    "store": {"prefix": "traces/"},
    "defaults": {
        "settings": {"client_id": "00000000-0000-0000-0000-000000000000", "timedelta": 5},
        "secrets": ["application"],
        "env": {"NO_PROXY": "store"},
    },
    "tenants": [
        {"name": "contoso", "settings": {"tenant_id": "contoso.onmicrosoft.com"}},
        {
            "name": "fabrikam",
            "trigger": "message_trace_oauth",
            "settings": {"tenant_id": "fabrikam.onmicrosoft.com", "timedelta": 60},
            "secret": "secret-of-fabrikam",
            "env": {"HTTPS_PROXY": "http://proxy:3128"},
            "resources": {"limits": {"memory": "1Gi"}},
        },
    ],
}
MANY = {"tenants": [{"name": f"tenant-{number}"} for number in range(300)]}


class Invalid(Exception):
    """Helm refuses the values."""


def rendered(values: dict[str, Any]) -> list[dict[str, Any]]:
    """The objects of the release ``mail``."""
    if HELM:
        command = [HELM, "template", "mail", str(CHART), "--values", "-", "--kube-version", "1.29"]
        done = subprocess.run(
            command, input=json.dumps(values), capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise Invalid(done.stderr)
        texts = [done.stdout]
    else:
        import helm_python

        with helm_python.Chart.load(str(CHART)) as chart:
            try:
                texts = list(chart.render(values, name="mail").values())
            except helm_python.HelmError as error:
                raise Invalid(str(error)) from None
    return [each for text in texts for each in yaml.safe_load_all(text) if each]


@cache
def objects() -> dict[tuple[str, str], dict[str, Any]]:
    return {(each["kind"], each["metadata"]["name"]): each for each in rendered(VALUES)}


def pod(tenant: str) -> dict[str, Any]:
    return dict(objects()["Deployment", f"mail-{tenant}"]["spec"]["template"]["spec"])


def container(tenant: str) -> dict[str, Any]:
    (only,) = pod(tenant)["containers"]
    return dict(only)


def secrets(tenant: str) -> list[str]:
    """The Secrets whose keys are files, later ones over earlier ones."""
    sources = pod(tenant)["volumes"][0]["projected"]["sources"]
    return [each["secret"]["name"] for each in sources if "secret" in each]


def settings(tenant: str) -> dict[str, Any]:
    text = objects()["ConfigMap", f"mail-{tenant}"]["data"]["trigger_configuration"]
    return dict(json.loads(text))


def variables(tenant: str) -> dict[str, str]:
    return {each["name"]: each["value"] for each in container(tenant)["env"]}


@pytest.mark.parametrize("kubernetes", VERSIONS)
def test_every_object_is_valid_in_old_and_new_kubernetes(kubernetes: str) -> None:
    for (kind, _), each in objects().items():
        if kind not in OWN_KINDS:
            kubernetes_validate.validate(each, kubernetes, strict=True)


def test_helm_finds_no_fault_with_the_chart() -> None:
    if HELM:
        done = subprocess.run([HELM, "lint", "--strict", str(CHART)], check=False)
        assert done.returncode == 0
    else:
        import helm_python

        assert helm_python.lint(str(CHART))["errors"] == []


def test_the_chart_has_the_modules_version() -> None:
    about = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert about["version"] == about["appVersion"] == version()


def test_each_tenant_has_settings_secrets_and_a_folder_of_its_own() -> None:
    client = VALUES["defaults"]["settings"]["client_id"]
    assert settings("contoso") == {
        "tenant_id": "contoso.onmicrosoft.com",
        "client_id": client,
        "timedelta": 5,
    }
    assert settings("fabrikam") == {
        "tenant_id": "fabrikam.onmicrosoft.com",
        "client_id": client,
        "timedelta": 60,
    }
    assert secrets("contoso") == ["message-trace-store", "application", "mail-contoso"]
    assert secrets("fabrikam") == ["message-trace-store", "application", "secret-of-fabrikam"]
    assert variables("contoso") == {"SUB_FOLDER": "traces/contoso", "NO_PROXY": "store"}
    assert variables("fabrikam") == {
        "SUB_FOLDER": "traces/fabrikam",
        "NO_PROXY": "store",
        "HTTPS_PROXY": "http://proxy:3128",
    }
    assert container("contoso")["args"] == ["message_trace_graph"]
    assert container("fabrikam")["args"] == ["message_trace_oauth"]
    assert container("fabrikam")["resources"] == {"limits": {"memory": "1Gi"}}


def test_the_triggers_that_can_be_chosen_are_those_that_there_are() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert set(schema["definitions"]["trigger"]["enum"]) == commands()


def test_a_tenants_pod_is_the_one_of_the_manifests() -> None:
    """But for its name, its files, and the stand-in, which all share."""
    own, ours = container("contoso"), pod("contoso")
    for name in TRIGGER.keys() - {"image", "envFrom"}:
        assert own[name] == TRIGGER[name], name
    for name in POD.keys() - {"containers", "volumes"}:
        assert ours[name] == POD[name], name
    spec = objects()["Deployment", "mail-contoso"]["spec"]
    for name in ("replicas", "strategy"):
        assert spec[name] == DEPLOYMENT["spec"][name]


def test_the_trigger_is_given_what_the_sdk_asks_for_and_nothing_else() -> None:
    shared = objects()["ConfigMap", "mail"]["data"]
    assert container("contoso")["envFrom"] == [{"configMapRef": {"name": "mail"}}]
    given = {*shared, *objects()["ConfigMap", "mail-contoso"]["data"], "SUB_FOLDER"}
    of_secrets = {"aws_access_key_id", "aws_secret_access_key"}
    assert {name.lower() for name in given} | of_secrets == PLATFORM | S3 | {"sub_folder"}
    for name in ("MODULE_CONFIGURATION", "TOKEN", "FILE_BACKEND"):
        assert shared[name] == CONFIG_MAP["data"][name]


def test_all_share_one_stand_in_for_the_playbook_api() -> None:
    stand_in = objects()["Deployment", "mail-playbook-api"]["spec"]
    service = objects()["Service", "mail-playbook-api"]["spec"]
    labels = stand_in["template"]["metadata"]["labels"].items()
    assert service["selector"].items() <= labels
    script = objects()["ConfigMap", "mail-playbook-api"]["data"][STAND_IN.name]
    assert script.strip() == STAND_IN.read_text().strip()
    url = objects()["ConfigMap", "mail"]["data"]["URL_CALLBACK"]
    assert url == f"http://mail-playbook-api:{service['ports'][0]['port']}/callback"
    policy = objects()["NetworkPolicy", "mail-playbook-api"]["spec"]
    assert policy["podSelector"]["matchLabels"].items() <= labels


def test_prometheus_finds_every_trigger_by_job_and_tenant() -> None:
    monitor = objects()["PodMonitor", "mail"]["spec"]
    labels = objects()["Deployment", "mail-contoso"]["spec"]["template"]["metadata"]["labels"]
    assert monitor["selector"]["matchLabels"].items() <= labels.items()
    assert labels["tenant"] == "contoso"
    assert monitor["podTargetLabels"] == ["tenant"]
    (endpoint,) = monitor["podMetricsEndpoints"]
    assert endpoint["relabelings"] == [{"targetLabel": "job", "replacement": "message-trace"}]


def test_rules_are_the_alerts_and_the_list_of_tenants(tmp_path: Path) -> None:
    spec = objects()["PrometheusRule", "mail"]["spec"]
    alerts, tenants = spec["groups"]
    assert [alerts] == yaml.safe_load((DEPLOY / "alerts.yml").read_text())["groups"]
    assert [each["labels"]["tenant"] for each in tenants["rules"]] == ["contoso", "fabrikam"]
    assert {each["record"] for each in tenants["rules"]} == {"message_trace:tenant"}
    if promtool := shutil.which("promtool"):
        file = tmp_path / "rules.yml"
        file.write_text(yaml.safe_dump(spec))
        subprocess.run([promtool, "check", "rules", str(file)], check=True, capture_output=True)


def test_the_dashboard_is_the_one_that_is_there() -> None:
    text = objects()["ConfigMap", "mail-dashboard"]["data"]["message-trace.json"]
    assert json.loads(text) == json.loads((DEPLOY / "grafana-dashboard.json").read_text())


def test_without_an_operator_there_are_no_objects_of_its_kinds() -> None:
    off = {"podMonitor": False, "alerts": False, "dashboard": False}
    kinds = {each["kind"] for each in rendered(VALUES | {"monitoring": off})}
    assert kinds == {"ConfigMap", "Deployment", "NetworkPolicy", "Service"}


def test_the_example_of_the_document_is_rendered() -> None:
    text = (DEPLOY.parent / "docs" / "operations.md").read_text()
    (example,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    names = {each["metadata"]["name"] for each in rendered(yaml.safe_load(example))}
    assert {"mail-contoso", "mail-fabrikam"} <= names
    secrets = set(re.findall(r"create secret generic ([\w-]+)", text))
    assert secrets == {"message-trace-store", "application", "mail-contoso", "mail-fabrikam"}


def test_three_hundred_tenants_are_three_hundred_lines() -> None:
    deployments = [each for each in rendered(MANY) if each["kind"] == "Deployment"]
    assert len(deployments) == 300 + 1
    folders = {
        variable["value"]
        for each in deployments
        for variable in each["spec"]["template"]["spec"]["containers"][0].get("env", ())
    }
    assert len(folders) == 300


@pytest.mark.parametrize(
    ("tenants", "said"),
    [
        ([{"name": "contoso"}, {"name": "contoso"}], "two tenants are called contoso"),
        ([{"name": "Contoso"}], "Contoso"),
        ([{"name": "contoso", "settings": {"client_secret": "x"}}], "client_secret"),
        ([{"name": "contoso", "trigger": "graph"}], "trigger"),
        ([{"name": "contoso", "tenant_id": "x"}], "tenant_id"),
        ([{}], "name"),
    ],
)
def test_mistakes_in_the_list_are_refused(tenants: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(Invalid, match=said):
        rendered({"tenants": tenants})
