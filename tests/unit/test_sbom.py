"""The bill of materials of what is installed."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[2]


def written(lock: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, PROJECT / ".ci" / "sbom.py", lock], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def sbom() -> dict[str, Any]:
    return written(PROJECT / "requirements.lock")


def test_it_has_what_the_lock_names_and_is_installed_and_nothing_else(sbom: dict[str, Any]) -> None:
    found = {component["name"]: component for component in sbom["components"]}

    assert found["sqlalchemy"]["version"] == version("sqlalchemy")
    assert found["sqlalchemy"]["purl"] == f"pkg:pypi/sqlalchemy@{version('sqlalchemy')}"
    assert found["sqlalchemy"]["licenses"] == [{"expression": "MIT"}]
    assert {"httpx", "pydantic-core", "psycopg-binary"} <= found.keys()
    assert not {"pytest", "mypy", "report-service"} & found.keys()


def test_each_component_has_the_hashes_that_it_was_installed_by(sbom: dict[str, Any]) -> None:
    lock = (PROJECT / "requirements.lock").read_text()

    for component in sbom["components"]:
        hashes = [each["value"] for each in component["properties"]]
        assert hashes
        assert all(f"--hash=sha256:{each}" in lock for each in hashes)


def test_it_is_about_this_program_and_the_same_each_time(sbom: dict[str, Any]) -> None:
    assert (sbom["bomFormat"], sbom["specVersion"]) == ("CycloneDX", "1.6")
    assert sbom["metadata"]["component"]["name"] == "report-service"
    refs = [component["bom-ref"] for component in sbom["components"]]
    assert sbom["dependencies"] == [{"ref": sbom["metadata"]["component"]["bom-ref"], "dependsOn": refs}]
    assert written(PROJECT / "requirements.lock") == sbom


def test_another_version_than_the_lock_s_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("httpx==0.0.1 \\\n    --hash=sha256:" + "0" * 64 + "\n")

    with pytest.raises(subprocess.CalledProcessError) as refused:
        written(tmp_path / "lock")
    assert "and locked as 0.0.1" in refused.value.stderr
