"""Write the software bill of materials of what is installed beside this interpreter: CycloneDX 1.6, JSON.

    python .ci/sbom.py requirements.lock >sbom.cdx.json

What the lock names and is installed is a component, with its version, its licence as its own metadata says it, and
the hashes that it was installed by. The same input makes the same bytes. Standard library only: the image is built
with it.
"""

from __future__ import annotations

import json
import re
import sys
import tomllib
import uuid
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).parents[1]
_PIN = re.compile(r"^(?P<name>[A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==(?P<version>[^\s;\\]+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def pins(lock: str) -> dict[str, tuple[str, list[str]]]:
    """Return version and SHA-256 hashes of what a lock names, by normalized name."""
    found: dict[str, tuple[str, list[str]]] = {}
    hashes: list[str] = []
    for line in lock.splitlines():
        if pin := _PIN.match(line):
            hashes = []
            found[_normal(pin["name"])] = (pin["version"], hashes)
        hashes += _HASH.findall(line)
    return found


def bill(lock: str, installed: dict[str, Distribution]) -> dict[str, Any]:
    """Return the bill of materials of what a lock names and is installed (by normalized name)."""
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["project"]
    components = [
        _component(name, version, hashes, installed[name])
        for name, (version, hashes) in sorted(pins(lock).items())
        if name in installed
    ]
    main = f"pkg:pypi/{project['name']}@{project['version']}"
    content = json.dumps(components, sort_keys=True)
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, main + content)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": main,
                "name": project["name"],
                "version": project["version"],
                "description": project["description"],
                "purl": main,
            }
        },
        "components": components,
        "dependencies": [
            {"ref": main, "dependsOn": [component["bom-ref"] for component in components]},
        ],
    }


def _component(name: str, version: str, hashes: list[str], installed: Distribution) -> dict[str, Any]:
    if installed.version != version:
        raise SystemExit(f"{name} is installed as {installed.version}, and locked as {version}")
    purl = f"pkg:pypi/{name}@{version}"
    component: dict[str, Any] = {
        "type": "library",
        "bom-ref": purl,
        "name": name,
        "version": version,
        "purl": purl,
    }
    metadata = installed.metadata
    if "License-Expression" in metadata:
        component["licenses"] = [{"expression": metadata["License-Expression"]}]
    elif "License" in metadata and len(metadata["License"]) < 80:  # else it is the whole text
        component["licenses"] = [{"license": {"name": metadata["License"]}}]
    # A lock has the hash of each file of a release; which of them was installed, its platform says.
    component["properties"] = [{"name": "lock:sha256", "value": each} for each in sorted(hashes)]
    return component


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def main() -> None:
    """Write the bill of the lock that the command line names; its second argument names other site-packages."""
    lock, *places = sys.argv[1:]
    found = distributions(path=places) if places else distributions()
    installed = {_normal(each.name): each for each in found}
    json.dump(bill(Path(lock).read_text("utf-8"), installed), sys.stdout, indent=2)
    sys.stdout.write("\n")


if __name__ == "__main__":
    main()
