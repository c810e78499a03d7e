"""The compose file that operators start from: in step with the program, its image and its settings."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from report_service.settings import load_settings
from report_service.settings.listing import all_settings

PROJECT = Path(__file__).parents[2]


@pytest.fixture
def compose() -> dict[str, Any]:
    read: dict[str, Any] = yaml.safe_load((PROJECT / "config" / "compose.yaml").read_text("utf-8"))
    return read


def test_compose_runs_two_hardened_daemons_once_their_database_answers(compose: dict[str, Any]) -> None:
    daemons = [it for it in compose["services"].values() if it["image"] == "localhost/report-service"]

    assert len(daemons) == 2
    assert len({daemon["hostname"] for daemon in daemons}) == 2
    for daemon in daemons:
        assert daemon["read_only"] is True
        assert daemon["cap_drop"] == ["ALL"]
        assert daemon["security_opt"] == ["no-new-privileges:true"]
        assert daemon["depends_on"] == {"postgres": {"condition": "service_healthy"}}
    assert "pg_isready" in compose["services"]["postgres"]["healthcheck"]["test"]


def test_compose_stops_a_daemon_no_sooner_than_its_grace_ends(compose: dict[str, Any], tmp_path: Path) -> None:
    settings = load_settings(
        PROJECT / "config" / "report-service.toml", {}, secrets_dir=tmp_path, default_files=()
    )

    given = compose["services"]["daemon-1"]["stop_grace_period"]

    assert float(given.removesuffix("s")) > settings.run.grace_s


def test_compose_looks_at_health_as_the_image_does(compose: dict[str, Any]) -> None:
    line = next(it for it in (PROJECT / "Dockerfile").read_text().splitlines() if it.startswith("HEALTHCHECK"))
    options = dict(re.findall(r"--([a-z-]+)=(\S+)", line))

    health = compose["services"]["daemon-1"]["healthcheck"]

    assert health["test"] == ["CMD", *json.loads(line.partition(" CMD ")[2])]
    assert {name.replace("-", "_"): value for name, value in options.items()} == {
        name: str(value) for name, value in health.items() if name != "test"
    }


def test_compose_gives_secrets_as_files_that_the_settings_know_and_git_does_not(compose: dict[str, Any]) -> None:
    known = {setting.variable.lower() for setting in all_settings() if setting.secret}
    ignored = (PROJECT / ".gitignore").read_text().splitlines()

    for daemon in (compose["services"]["daemon-1"], compose["services"]["daemon-2"]):
        assert set(daemon["secrets"]) <= known
        assert not {"environment", "env_file"} & daemon.keys()
    for name, secret in compose["secrets"].items():
        assert secret == {"file": f"./secrets/{name}"}
    assert "/config/secrets/" in ignored
