"""The locks are complete for every Python and platform, so that nothing has to be resolved."""

from __future__ import annotations

import os
import re
import subprocess
import tomllib
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Environment = dict[str, str]

PROJECT = Path(__file__).parents[2]
DECLARED = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
RUNTIME = DECLARED["dependencies"]
ROOTS = {
    "requirements.lock": RUNTIME,
    "requirements.build.lock": ["editables", "hatchling"],
    "tests/requirements.lock": [*RUNTIME, *DECLARED["optional-dependencies"]["dev"]],
    **{
        f"requirements.{extra}.lock": [*DECLARED["optional-dependencies"][extra], *beside]
        for extra, beside in {
            "mysql": (),
            "mssql": (),
            # What a driver needs that is not installed where the tests run.
            "oracle": ("cryptography", "typing-extensions"),
        }.items()
    },
}
PYTHONS = [it.rpartition(" ")[2] for it in DECLARED["classifiers"] if re.search(r":: 3\.\d+$", it)]
PLATFORMS = [("linux", "Linux", "x86_64"), ("linux", "Linux", "aarch64"), ("darwin", "Darwin", "arm64")]
ENVIRONMENTS = [
    {
        "python_version": python,
        "python_full_version": f"{python}.0",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "os_name": "posix",
        "sys_platform": sys_platform,
        "platform_system": system,
        "platform_machine": machine,
    }
    for python in PYTHONS
    for sys_platform, system, machine in PLATFORMS
]


def locked(lock: str, environment: Environment) -> dict[str, str]:
    """Return the version of each package that a lock installs in an environment."""
    lines = (PROJECT / lock).read_text("utf-8").splitlines()
    pins = [Requirement(line.rstrip(" \\")) for line in lines if line[:1].isalnum()]
    return {
        canonicalize_name(pin.name): str(pin.specifier).removeprefix("==") for pin in applying(pins, environment)
    }


def applying(requirements: Iterable[Requirement], environment: Environment) -> Iterator[Requirement]:
    return (it for it in requirements if it.marker is None or it.marker.evaluate(environment))


def needed(roots: Iterable[str], environment: Environment) -> list[Requirement]:
    """Return all that some requirements come to, through every extra that is asked for on the way.

    What a package requires is read from its installed metadata. One that only another Python or platform installs
    is taken to require nothing: there this test asks it.
    """
    found: list[Requirement] = []
    followed: set[tuple[str, str]] = set()
    ahead = list(applying(map(Requirement, roots), environment))
    while ahead:
        requirement = ahead.pop()
        found.append(requirement)
        for extra in {"", *requirement.extras}:
            if (requirement.name, extra) not in followed:
                followed.add((requirement.name, extra))
                ahead += applying(required(requirement.name), environment | {"extra": extra})
    return found


def satisfied(requirement: Requirement, version: str | None) -> bool:
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def required(package: str) -> list[Requirement]:
    try:
        return [Requirement(line) for line in requires(package) or ()]
    except PackageNotFoundError:
        return []


@pytest.mark.parametrize(
    "environment", ENVIRONMENTS, ids=lambda it: f"{it['python_version']} {it['platform_machine']}"
)
@pytest.mark.parametrize("lock", ROOTS)
def test_a_lock_holds_whatever_is_needed_extras_and_all(lock: str, environment: Environment) -> None:
    pins = locked(lock, environment)

    missing = [
        str(requirement)
        for requirement in needed(ROOTS[lock], environment)
        if not satisfied(requirement, pins.get(canonicalize_name(requirement.name)))
    ]

    assert missing == []


@pytest.mark.parametrize("lock", ROOTS)
def test_a_lock_holds_nothing_that_is_not_needed(lock: str) -> None:
    pinned = {name for environment in ENVIRONMENTS for name in locked(lock, environment)}

    used = {
        canonicalize_name(requirement.name)
        for environment in ENVIRONMENTS
        for requirement in needed(ROOTS[lock], environment)
    }

    assert pinned - used == set()


def installs() -> Iterator[str]:
    """Yield each command by which make, the image and the README's reader install something."""
    recipes = subprocess.run(
        [
            "make",
            "--dry-run",
            "--always-make",
            "VENV=nowhere",
            "nowhere/.runtime",
            "nowhere/.dev",
            ".venv-uv/.made",
        ],
        cwd=PROJECT,
        env={name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for text in (recipes, (PROJECT / "Dockerfile").read_text("utf-8"), (PROJECT / "README.md").read_text("utf-8")):
        commands = text.replace("\\\n", " ").replace("&&", "\n").splitlines()
        yield from (line.strip() for line in commands if re.search(r"\bpip .*(install|wheel) ", line))


def test_every_extra_has_a_lock() -> None:
    assert {f"requirements.{extra}.lock" for extra in DECLARED["optional-dependencies"]} - {
        "requirements.dev.lock"
    } <= {*ROOTS}


@pytest.mark.parametrize("command", [it for it in installs() if "uninstall" not in it])
def test_every_install_takes_what_is_locked_and_resolves_and_builds_nothing_else(command: str) -> None:
    assert "--no-deps" in command
    if "-r " in command:
        assert {"--require-hashes", "--only-binary", ":all:"} <= set(command.split())
        assert set(re.findall(r"-r (\S+)", command)) <= {*ROOTS, "requirements.uv.lock", "tests/mutants.lock"}
    else:
        assert "--no-index" in command or "--no-build-isolation" in command


def test_the_package_may_be_installed_on_each_declared_python_and_no_other() -> None:
    versions = [f"3.{minor}" for minor in range(30)]

    assert list(SpecifierSet(DECLARED["requires-python"]).filter(versions)) == PYTHONS


def test_the_image_has_the_newest_declared_python() -> None:
    dockerfile = (PROJECT / "Dockerfile").read_text("utf-8")

    assert re.findall(r"^ARG BASE_IMAGE=\S+/python:(3\.\d+)-", dockerfile, re.MULTILINE) == PYTHONS[-1:]
