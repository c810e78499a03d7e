"""The wheel, installed away from the checkout: what is in it, and that it works from an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
NO_NETWORK = ("--no-index", "--no-deps", "--disable-pip-version-check")


def call(*command: object, cwd: Path, **variables: str) -> str:
    """Return the standard output of a command that has to succeed, run without this process's settings."""
    plain = {
        name: value for name, value in os.environ.items() if not name.startswith(("REPORT_SERVICE_", "PYTHON"))
    }
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=plain | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build it, from a copy of what belongs to it, with the build backend that is installed here."""
    source, dist = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("dist")
    for file in ("pyproject.toml", "README.md"):
        shutil.copy(PROJECT / file, source)
    for folder in ("report_service", "migrations"):
        shutil.copytree(PROJECT / folder, source / folder, ignore=shutil.ignore_patterns("__pycache__"))
    pip = (sys.executable, "-m", "pip", "wheel", *NO_NETWORK, "--no-build-isolation", "--wheel-dir", dist)
    call(*pip, source, cwd=source)
    (built,) = dist.iterdir()
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the scripts of an environment with the wheel in it; the packages it needs are this one's."""
    place = tmp_path_factory.mktemp("installed")
    call(sys.executable, "-m", "venv", "--without-pip", place, cwd=place)
    scripts = place / "bin"
    call(sys.executable, "-m", "pip", "--python", scripts / "python", "install", *NO_NETWORK, wheel, cwd=place)
    purelib = call(scripts / "python", "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=place)
    Path(purelib.strip(), "needed.pth").write_text(sysconfig.get_path("purelib"))
    return scripts


def test_the_wheel_holds_the_package_its_migrations_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    migrations = {
        f"report_service/migrations/{file.relative_to(PROJECT / 'migrations')}"
        for pattern in ("*.py", "*.mako")
        for file in (PROJECT / "migrations").rglob(pattern)
    }

    assert {name for name in names if name.startswith("report_service/migrations/")} == migrations
    assert len(migrations) > 2
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"report_service"}


def test_the_installed_command_tells_its_commands(installed: Path, tmp_path: Path) -> None:
    told = call(installed / "report-service", "--help", cwd=tmp_path)

    assert "status" in told
    assert list(tmp_path.iterdir()) == []


def test_the_installed_command_makes_the_tables_from_its_own_migrations(installed: Path, tmp_path: Path) -> None:
    python = installed / "python"
    where = call(python, "-c", "import report_service; print(report_service.__file__)", cwd=tmp_path)
    upgrade = (installed / "report-service", "db", "upgrade")
    newest = max(file.name for file in (PROJECT / "migrations" / "versions").glob("*.py")).partition("_")[0]

    first = call(*upgrade, cwd=tmp_path, REPORT_SERVICE_OBELIS__MODE="mock")
    second = call(*upgrade, cwd=tmp_path, REPORT_SERVICE_OBELIS__MODE="mock")

    assert Path(where.strip()).is_relative_to(installed.parent)
    assert first == f"The tables are at revision {newest}, from None.\n"
    assert second == f"The tables are at revision {newest}: nothing to do.\n"
    assert (tmp_path / "report-service.sqlite3").is_file()
