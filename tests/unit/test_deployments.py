"""The manifests and units that operators start from: right by their schemas, and in step with the program."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import kubernetes_validate
import pytest
import yaml

from report_service.settings import load_settings
from report_service.settings.listing import all_settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from report_service.settings import Settings

PROJECT = Path(__file__).parents[2]
KUBERNETES = PROJECT / "config" / "kubernetes"
SYSTEMD = PROJECT / "config" / "systemd"
UNITS = sorted(path.name for path in SYSTEMD.iterdir() if path.suffix in {".service", ".timer"})
MANIFESTS = sorted(path.name for path in KUBERNETES.glob("*.yaml") if path.name != "kustomization.yaml")
OLDEST = "1.31"
"""Of the versions of Kubernetes that the manifests are for: podFailurePolicy is stable since then."""


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((KUBERNETES / name).read_text("utf-8")))


def one(name: str, kind: str) -> dict[str, Any]:
    (found,) = (each for each in documents(name) if each["kind"] == kind)
    return found


def pod_of(workload: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = workload["spec"]["template"]["spec"]
    return pod


DAEMON = one("deployment.yaml", "Deployment")
BACKFILL = one("backfill-job.yaml", "Job")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return the settings of the ConfigMap and the Secret, as a pod of them would read them."""
    config, secret = one("configmap.yaml", "ConfigMap"), one("secret.yaml", "Secret")
    for name, text in {**config["data"], **secret["stringData"]}.items():
        (tmp_path / name).write_text(text)
    return load_settings(tmp_path / "report-service.toml", {}, secrets_dir=tmp_path)


@pytest.mark.parametrize("name", MANIFESTS)
@pytest.mark.parametrize("version", [OLDEST, kubernetes_validate.latest_version()])
def test_a_manifest_is_what_kubernetes_takes(name: str, version: str) -> None:
    for document in documents(name):
        kubernetes_validate.validate(document, version, strict=True)


def test_together_are_all_manifests_but_the_one_off_job() -> None:
    (kustomization,) = documents("kustomization.yaml")

    assert {*kustomization["resources"], "backfill-job.yaml"} == set(MANIFESTS)


def test_the_settings_and_secrets_are_those_of_the_program(settings: Settings) -> None:
    assert settings.obelis.client_secret.get_secret_value() == "replace-me"
    assert settings.store.url.get_secret_value().startswith("postgresql://")
    known = {setting.variable.lower() for setting in all_settings() if setting.secret}
    assert one("secret.yaml", "Secret")["stringData"].keys() <= known


@pytest.mark.parametrize("workload", [DAEMON, BACKFILL], ids=["daemon", "backfill"])
def test_a_pod_is_hardened_and_has_its_settings_where_they_are_looked_for(workload: dict[str, Any]) -> None:
    pod = pod_of(workload)
    (container,) = pod["containers"]

    assert pod["automountServiceAccountToken"] is pod["enableServiceLinks"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert "runAsUser" not in pod["securityContext"]  # OpenShift gives one
    assert container["securityContext"]["readOnlyRootFilesystem"] is True
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    assert (mounts["config"], mounts["secrets"]) == ("/etc/report-service", "/run/secrets")
    assert mounts.keys() == {volume["name"] for volume in pod["volumes"]}


def test_the_probes_are_the_image_s_health_check(settings: Settings) -> None:
    line = next(it for it in (PROJECT / "Dockerfile").read_text().splitlines() if it.startswith("HEALTHCHECK"))
    options = dict(re.findall(r"--([a-z-]+)=(\d+)", line))
    (container,) = pod_of(DAEMON)["containers"]

    for probe in (container["livenessProbe"], container["startupProbe"]):
        assert probe["exec"]["command"] == json.loads(line.partition(" CMD ")[2])
        assert probe["timeoutSeconds"] == int(options["timeout"])
    assert container["livenessProbe"]["periodSeconds"] == int(options["interval"])
    assert pod_of(DAEMON)["terminationGracePeriodSeconds"] > settings.run.grace_s


def test_a_job_tries_again_what_trying_again_can_mend() -> None:
    rules = BACKFILL["spec"]["podFailurePolicy"]["rules"]
    by_action = {rule["action"]: rule["onExitCodes"]["values"] for rule in rules if "onExitCodes" in rule}
    readme = (KUBERNETES / "README.md").read_text("utf-8")

    assert by_action == {"FailJob": [1, 2, 3], "Count": [4]}
    assert [int(code) for code in re.findall(r"^\| (\d)\b", readme, re.MULTILINE)] == [0, 1, 2, 3, 4]


def lines(unit: str) -> Iterator[tuple[str, str]]:
    for line in (SYSTEMD / unit).read_text("utf-8").splitlines():
        name, equals, value = line.partition("=")
        if equals and not line.startswith("#"):
            yield name, value


@pytest.mark.parametrize("unit", UNITS)
def test_a_unit_sets_settings_that_there_are(unit: str) -> None:
    known = {setting.variable for setting in all_settings()}

    for variable in (value.partition("=")[0] for name, value in lines(unit) if name == "Environment"):
        assert {variable, variable.removesuffix("_FILE")} & known


def test_the_service_waits_for_the_daemon_s_end_and_leaves_wrong_settings_alone(settings: Settings) -> None:
    service = dict(lines("report-service.service"))

    assert int(service["TimeoutStopSec"]) > settings.run.grace_s
    assert (service["Restart"], service["RestartPreventExitStatus"]) == ("on-failure", "2")


def test_both_services_look_at_the_same_pulse() -> None:
    services = [unit for unit in UNITS if unit.endswith(".service")]
    pulses = {value for unit in services for _, value in lines(unit) if "HEALTH__FILE" in value}

    assert len(pulses) == 1
    assert len(services) == 2


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    tool = shutil.which("systemd-analyze")
    if tool is None:
        if os.environ.get("CI"):
            pytest.fail("systemd-analyze is not installed")
        pytest.skip("systemd-analyze is not installed")
    for unit in UNITS:  # the program need not be installed for that
        text = (SYSTEMD / unit).read_text("utf-8")
        (tmp_path / unit).write_text(text.replace("/opt/report-service/bin/report-service", "/bin/true"))

    done = subprocess.run(
        [tool, "verify", *(tmp_path / unit for unit in UNITS)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")
