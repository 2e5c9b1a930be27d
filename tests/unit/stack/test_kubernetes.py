"""The Kubernetes manifests: valid by Kubernetes's own schemas, built by kustomize, and true to what the service is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import kubernetes_validate
import pytest
import yaml

from service.server import build_live_service
from service.settings import Settings
from stack.configuration import RULES_DIR
from stack.kubernetes import MANIFESTS, PLAIN, RESOURCE, as_files, shipped_rules
from stack.rules import promtool
from stack.rules.errors import BadRuleFile
from stack.rules.file import RuleFile
from stack.rules.read import load_rules, read_rules
from tests.levels import thorough
from tests.realprom import answering, running_prometheus

ROOT = Path(__file__).resolve().parents[3]
VERSIONS = ("1.30", kubernetes_validate.latest_version())
"""The oldest Kubernetes that the manifests are for (``preStop.sleep``), and the newest that is known."""
OVERLAYS = ("base", "overlays/prometheus-operator", "overlays/remote-write")
OPERATORS = "monitoring.coreos.com/v1"
OUTSIDE = {"POD_NAME", "POD_NAMESPACE"}
"""Variables of the container that are no settings, but stand in values of settings."""
Document = dict[str, Any]


def read(path: str) -> list[Document]:
    """Return the documents of one file."""
    return list(yaml.safe_load_all((MANIFESTS / path).read_text(encoding="utf-8")))


def settings() -> dict[str, str]:
    """Return what the ConfigMap gives the service."""
    lines = (MANIFESTS / "base/settings.env").read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def one(documents: list[Document], kind: str, name: str = "firedrill-service") -> Document:
    """Return the one document of a kind and name."""
    (found,) = (each for each in documents if each["kind"] == kind and each["metadata"]["name"] == name)
    return found


def pods(documents: list[Document]) -> Iterator[Document]:
    """Yield the pod specifications of all workloads."""
    for document in documents:
        if document["kind"] in {"Deployment", "StatefulSet"}:
            yield document["spec"]["template"]["spec"]


DEPLOYMENT = read("base/deployment.yaml")[0]
POD = DEPLOYMENT["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]
FILES = sorted(path.relative_to(MANIFESTS) for path in MANIFESTS.rglob("*.yaml"))
KUSTOMIZATIONS = [path for path in FILES if path.name == "kustomization.yaml"]
RESOURCES = [path for path in FILES if path not in KUSTOMIZATIONS]


def kustomize(folder: Path) -> list[Document]:
    """Return what kustomize makes of a folder."""
    tools = {"kustomize": ["build"], "kubectl": ["kustomize"]}
    tool = next((name for name in tools if shutil.which(name)), None)
    if tool is None:
        pytest.skip("neither kustomize nor kubectl is on PATH; files are checked one by one all the same")
    done = subprocess.run([tool, *tools[tool], str(folder)], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@pytest.fixture(scope="module", params=OVERLAYS)
def built(request: pytest.FixtureRequest) -> list[Document]:
    """Return what kustomize makes of the base or an overlay."""
    return kustomize(MANIFESTS / request.param)


@pytest.mark.parametrize("path", RESOURCES, ids=str)
@pytest.mark.parametrize("version", VERSIONS)
def test_every_object_is_valid_by_kubernetes_own_schema(path: Path, version: str) -> None:
    """Each object of each file fits the schema of its kind, without an unknown field."""
    for document in read(str(path)):
        if document["apiVersion"] != OPERATORS:
            kubernetes_validate.validate(document, version, strict=True)


def test_the_schemas_find_a_mistake() -> None:
    """A misspelt field is refused, so that the test above can fail."""
    wrong = json.loads(json.dumps(DEPLOYMENT))
    wrong["spec"]["template"]["spec"]["containers"][0]["livenesProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


@pytest.mark.parametrize("path", KUSTOMIZATIONS, ids=str)
def test_a_kustomization_lists_the_files_of_its_folder(path: Path) -> None:
    """What it names exists, and no file lies beside it that nobody names."""
    folder, (content,) = (MANIFESTS / path).parent, read(str(path))
    generated = [name for each in content.get("configMapGenerator", []) for name in each.get("files", each.get("envs"))]
    named = [*content["resources"], *generated]
    assert all((folder / name).exists() for name in named)
    beside = {file.name for file in folder.iterdir()} - {"kustomization.yaml"}
    assert beside == {name for name in named if "/" not in name}


def test_kustomize_builds_valid_objects(built: list[Document]) -> None:
    """What kustomize makes is valid too, lies in one namespace, and refers to what is there."""
    for document in built:
        if document["apiVersion"] != OPERATORS:
            for version in VERSIONS:
                kubernetes_validate.validate(document, version, strict=True)
        if document["kind"] != "Namespace":
            assert document["metadata"]["namespace"] == "firedrill"
    names = {(each["kind"], each["metadata"]["name"]) for each in built}
    assert len(names) == len(built)
    for pod in pods(built):
        assert ("ServiceAccount", pod["serviceAccountName"]) in names
        maps = {volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume}
        maps |= {source["configMapRef"]["name"] for each in pod["containers"] for source in each.get("envFrom", [])}
        assert {("ConfigMap", name) for name in maps} <= names


def test_pods_may_do_little(built: list[Document]) -> None:
    """Every pod meets Pod Security's level *restricted*, cannot write its image, and says what it needs."""
    specs = list(pods(built))
    assert specs
    for pod in specs:
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["enableServiceLinks"] is False
        for each in [*pod["containers"], *pod.get("initContainers", [])]:
            security = each["securityContext"]
            assert security["allowPrivilegeEscalation"] is False
            assert security["readOnlyRootFilesystem"] is True
            assert security["capabilities"] == {"drop": ["ALL"]}
            assert set(each["resources"]["limits"]) == set(each["resources"]["requests"]) == {"cpu", "memory"}
            assert not any(volume.get("hostPath") for volume in pod["volumes"])


def test_the_autoscaler_takes_the_number_of_replicas_over(tmp_path: Path) -> None:
    """With the component the Deployment has no number of its own, and the autoscaler is valid."""
    places = {name: os.path.relpath(MANIFESTS / name, tmp_path) for name in ("base", "components/autoscaling")}
    overlay = {"resources": [places["base"]], "components": [places["components/autoscaling"]]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay), encoding="utf-8")
    documents = kustomize(tmp_path)
    assert "replicas" not in one(documents, "Deployment")["spec"]
    autoscaler = one(documents, "HorizontalPodAutoscaler")
    kubernetes_validate.validate(autoscaler, VERSIONS[0], strict=True)
    assert autoscaler["metadata"]["namespace"] == "firedrill"


def test_the_service_gets_what_it_was_promised() -> None:
    """Three replicas of 1–2 CPU and 2–4 Gi, spread over nodes, of which two stay through any disruption."""
    assert DEPLOYMENT["spec"]["replicas"] == 3
    assert CONTAINER["resources"] == {
        "requests": {"cpu": "1", "memory": "2Gi"},
        "limits": {"cpu": "2", "memory": "4Gi"},
    }
    keys = {each["topologyKey"] for each in POD["spec"]["topologySpreadConstraints"]}
    assert keys == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
    assert read("base/poddisruptionbudget.yaml")[0]["spec"]["minAvailable"] == 2
    assert POD["spec"]["automountServiceAccountToken"] is False
    assert read("components/autoscaling/horizontalpodautoscaler.yaml")[0]["spec"]["minReplicas"] == 3


def test_the_config_map_has_settings_of_the_service() -> None:
    """Every name is a setting, the values load, and the port is the one that Kubernetes is told."""
    given = settings()
    variables = {each["name"]: each.get("value", "x") for each in CONTAINER["env"]}
    named = {name.lower() for name in (*given, *variables)} - {name.lower() for name in OUTSIDE}
    assert named <= set(Settings.model_fields)
    values = {name.lower(): value for name, value in (given | variables).items() if name not in OUTSIDE}
    loaded = Settings(**values)
    assert (
        loaded.port
        == CONTAINER["ports"][0]["containerPort"]
        == int(POD["metadata"]["annotations"]["prometheus.io/port"])
    )
    assert set(re.findall(r"\$\((\w+)\)", str(variables))) <= set(variables)


def test_a_pod_has_time_to_finish() -> None:
    """Waiting for the cluster, finishing requests and sending the last spans fit into the grace period."""
    waits = CONTAINER["lifecycle"]["preStop"]["sleep"]["seconds"] + int(settings()["GRACEFUL_SHUTDOWN_TIMEOUT"]) + 1.5
    assert waits + 5 < POD["spec"]["terminationGracePeriodSeconds"]


def test_the_models_of_the_image_reach_the_folder_that_can_be_written() -> None:
    """The first container copies from where the image has them to where the settings look for them."""
    (init,) = POD["spec"]["initContainers"]
    *_, source, target = init["command"]
    (folder,) = re.findall(r"ARTIFACTS_DIR=(/app/\S+)", (ROOT / "Dockerfile").read_text())
    assert source == f"{folder}/."
    assert target.rstrip("/") == settings()["ARTIFACTS_DIR"] == init["volumeMounts"][0]["mountPath"]
    assert init["image"] == CONTAINER["image"]
    mounts = {mount["name"]: mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert mounts == {"artifacts": settings()["ARTIFACTS_DIR"], "tmp": "/tmp"}  # noqa: S108 - of a container


def test_probes_and_scrapes_ask_for_paths_that_exist(tmp_path: Path) -> None:
    """Every path that Kubernetes or Prometheus asks for is a route of the service."""
    live = build_live_service(Settings(artifacts_dir=tmp_path, enable_tracing=False))
    try:
        routes = {getattr(route, "path", "") for route in live.app.routes} | set(live.app.openapi()["paths"])
    finally:
        live.close()
    asked = {CONTAINER[f"{kind}Probe"]["httpGet"]["path"] for kind in ("startup", "readiness", "liveness")}
    assert asked == {"/health", "/ready"}
    (monitor,) = read("overlays/prometheus-operator/servicemonitor.yaml")
    asked |= {POD["metadata"]["annotations"]["prometheus.io/path"], monitor["spec"]["endpoints"][0]["path"]}
    assert asked <= routes


def test_images_are_those_of_docker() -> None:
    """The service's image and user are the Dockerfile's, and Prometheus's is the one that Compose runs."""
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"docker build -t {CONTAINER['image']} ." in dockerfile
    assert CONTAINER["image"].endswith(f":{Settings.model_fields['app_version'].default}")
    context = POD["spec"]["securityContext"]
    assert f"USER {context['runAsUser']}:{context['runAsGroup']}" in dockerfile
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    stateful = one(read("overlays/remote-write/prometheus.yaml"), "StatefulSet", "firedrill-prometheus")
    (prometheus,) = stateful["spec"]["template"]["spec"]["containers"]
    assert prometheus["image"] == compose["services"]["prometheus"]["image"]
    for kustomization in KUSTOMIZATIONS:
        for image in read(str(kustomization))[0].get("images", []):
            assert f"{image['name']}:{image['newTag']}" in {CONTAINER["image"], prometheus["image"]}


def test_selectors_select() -> None:
    """Whatever selects the pods or the Service does so by labels and port names that they have."""
    labels = POD["metadata"]["labels"].items()
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"].items() <= labels
    assert read("base/poddisruptionbudget.yaml")[0]["spec"]["selector"]["matchLabels"].items() <= labels
    (policy,) = read("base/networkpolicy.yaml")
    assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels
    for constraint in POD["spec"]["topologySpreadConstraints"]:
        assert constraint["labelSelector"]["matchLabels"].items() <= labels
    (service,) = read("base/service.yaml")
    assert service["spec"]["selector"].items() <= labels
    names = {port["name"] for port in CONTAINER["ports"]}
    assert {port["targetPort"] for port in service["spec"]["ports"]} <= names
    assert {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]} <= names
    (autoscaler,) = read("components/autoscaling/horizontalpodautoscaler.yaml")
    target = autoscaler["spec"]["scaleTargetRef"]
    assert (target["apiVersion"], target["kind"]) == (DEPLOYMENT["apiVersion"], DEPLOYMENT["kind"])
    assert target["name"] == DEPLOYMENT["metadata"]["name"]


def test_the_service_monitor_gives_the_job_that_rules_select() -> None:
    """It selects the Service, scrapes a port that it has, and takes the job's name from a label that says firedrill."""
    (monitor,) = read("overlays/prometheus-operator/servicemonitor.yaml")
    (service,) = read("base/service.yaml")
    assert set(monitor["spec"]) == {"jobLabel", "selector", "endpoints"}
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert service["metadata"]["labels"][monitor["spec"]["jobLabel"]] == "firedrill"
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert set(endpoint) == {"port", "path", "interval", "scrapeTimeout", "relabelings"}


def test_the_rules_of_kubernetes_are_the_shipped_ones() -> None:
    """Both files are what ``python -m stack.kubernetes`` writes now, and hold the same rules as the shipped files."""
    shipped = shipped_rules()
    for path, text in as_files(shipped).items():
        assert path.read_text(encoding="utf-8") == text, "run `python -m stack.kubernetes`"
    resource = yaml.safe_load(RESOURCE.read_text(encoding="utf-8"))
    assert set(resource) == {"apiVersion", "kind", "metadata", "spec"}
    assert (resource["apiVersion"], resource["kind"]) == (OPERATORS, "PrometheusRule")
    from_resource = read_rules(yaml.safe_dump(resource["spec"], sort_keys=False, allow_unicode=True), RESOURCE)
    assert [*timeless(from_resource)] == [*timeless(load_rules(PLAIN))] == [*timeless(shipped)]


def timeless(rules: RuleFile) -> Iterator[tuple[str, Any]]:
    """Yield each rule with its group, without the line it stands in."""
    for group in rules.groups:
        for rule in group.rules:
            yield group.name, replace(rule, line=0)


def test_two_groups_of_one_name_are_refused(tmp_path: Path) -> None:
    """A PrometheusRule cannot have two groups of one name, and neither can one file; the command says so."""
    for name in ("a.yml", "b.yml"):
        shutil.copy(RULES_DIR / "traffic.yml", tmp_path / name)
    with pytest.raises(BadRuleFile, match="there twice"):
        as_files(shipped_rules(tmp_path))


@pytest.mark.live
def test_promtool_accepts_the_rules_of_kubernetes() -> None:
    """The plain file passes Prometheus's own check."""
    assert "SUCCESS" in promtool.check(PLAIN)


EXPOSITION = b"""# TYPE http_requests_total counter
http_requests_total{method="POST",endpoint="/predict",status="200"} 7
"""


def snake(mapping: Mapping[str, Any]) -> dict[str, Any]:
    """Return an operator's relabeling as Prometheus writes it."""
    return {re.sub(r"([A-Z])", lambda match: f"_{match[1].lower()}", key): value for key, value in mapping.items()}


@thorough
@pytest.mark.live
def test_real_prometheus_scrapes_what_the_manifests_say(tmp_path: Path) -> None:
    """Of a pod's targets the annotated port is kept, and `endpoint` stays the service's own under the operator.

    Debian's Prometheus has no discovery of Kubernetes: its labels are put on static targets here.
    """
    content = yaml.safe_load((MANIFESTS / "overlays/remote-write/prometheus.yml").read_text(encoding="utf-8"))
    (job,) = content["scrape_configs"]
    assert job.pop("kubernetes_sd_configs") == [{"role": "pod", "namespaces": {"own_namespace": True}}]
    (monitor,) = read("overlays/prometheus-operator/servicemonitor.yaml")
    with answering(EXPOSITION, content_type="text/plain; version=0.0.4") as said:
        port = said.address.rpartition(":")[2]
        meta = {
            "namespace": "firedrill",
            "pod_name": "firedrill-service-abc",
            "pod_phase": "Running",
            "pod_annotation_prometheus_io_scrape": "true",
            "pod_annotation_prometheus_io_port": port,
            "pod_annotation_prometheus_io_path": "/metrics",
            "pod_container_port_number": port,
        }
        others = (
            {"pod_container_port_number": "1"},
            {"pod_phase": "Succeeded"},
            {"pod_annotation_prometheus_io_scrape": ""},
        )
        job["static_configs"] = [
            {"targets": [said.address], "labels": {f"__meta_kubernetes_{key}": value for key, value in labels.items()}}
            for labels in (meta, *(meta | other for other in others))
        ]
        operated = {
            "job_name": "operated",
            "static_configs": [{"targets": [said.address], "labels": {"endpoint": "http", "pod": "p"}}],
            "relabel_configs": [snake(each) for each in monitor["spec"]["endpoints"][0]["relabelings"]],
        }
        content["rule_files"] = [str(PLAIN)]
        content["alerting"] = {}
        content["global"] |= {"scrape_interval": "200ms", "scrape_timeout": "200ms", "evaluation_interval": "1s"}
        configuration = tmp_path / "overlay.yml"
        configuration.write_text(yaml.safe_dump(content | {"scrape_configs": [job, operated]}), encoding="utf-8")
        assert "SUCCESS" in promtool.check_config(configuration)
        del content["remote_write"]  # checked above; at its end Prometheus would wait for storage that is not there
        configuration.write_text(yaml.safe_dump(content | {"scrape_configs": [job, operated]}), encoding="utf-8")
        with running_prometheus(tmp_path) as prometheus:
            configuration.replace(tmp_path / "prometheus.yml")
            httpx.post(f"{prometheus.url}/-/reload").raise_for_status()

            def series() -> list[dict[str, str]]:
                answer = httpx.get(f"{prometheus.url}/api/v1/query", params={"query": "http_requests_total"})
                return [each["metric"] for each in answer.json()["data"]["result"]]

            prometheus.wait_for(lambda: len(series()) == 2, "both jobs are scraped")
            targets = httpx.get(f"{prometheus.url}/api/v1/targets").json()["data"]
            found = {each["job"]: each for each in series()}
    assert [each["labels"]["job"] for each in targets["activeTargets"]].count("firedrill") == 1
    assert found["firedrill"]["pod"] == "firedrill-service-abc"
    assert found["firedrill"]["namespace"] == "firedrill"
    assert found["operated"]["endpoint"] == "/predict"
    assert "exported_endpoint" not in found["operated"]
