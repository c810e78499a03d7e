"""Ask what is known against the versions that locks name, and end with 1 if there is anything.

    python .ci/audit.py requirements.lock tests/requirements.lock

The answers are those of OSV, which has the advisories of PyPI and GitHub; AUDIT_URL names another service that
speaks its protocol. Names and versions leave the machine, and nothing else. Standard library only.
"""

from __future__ import annotations

import json
import os
import sys
import urllib.request
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from sbom import pins

URL = "https://api.osv.dev/v1/querybatch"
TIMEOUT_S = 60


def known_against(versions: dict[str, str], url: str) -> dict[str, list[str]]:
    """Return the advisories that there are, by `name==version`; raise OSError if the service does not answer."""
    names = sorted(versions)
    queries = [{"package": {"name": name, "ecosystem": "PyPI"}, "version": versions[name]} for name in names]
    request = urllib.request.Request(
        url, data=json.dumps({"queries": queries}).encode(), headers={"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        results: list[dict[str, Any]] = json.load(answer)["results"]
    if len(results) != len(names):
        raise OSError(f"{url} answered {len(results)} of {len(names)} questions")
    return {
        f"{name}=={versions[name]}": sorted(each["id"] for each in result["vulns"])
        for name, result in zip(names, results, strict=True)
        if result.get("vulns")
    }


def main() -> int:
    """Audit the locks that the command line names."""
    url = os.environ.get("AUDIT_URL", URL)
    found: dict[str, list[str]] = {}
    versions = {}
    for lock in sys.argv[1:]:
        versions |= {name: version for name, (version, _) in pins(Path(lock).read_text("utf-8")).items()}
    try:
        found = known_against(versions, url)
    except (OSError, ValueError, KeyError) as why:
        print(f"{url} cannot be asked: {why}; AUDIT_URL names another", file=sys.stderr)
        return 2
    for pin, advisories in found.items():
        print(f"{pin}: {', '.join(f'https://osv.dev/{each}' for each in advisories)}")
    print(f"{len(versions)} versions asked about, something is known against {len(found)}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
