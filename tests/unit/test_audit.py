"""What is known against the versions that are locked, as a service that plays OSV says."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

AUDIT = Path(__file__).parents[2] / ".ci" / "audit.py"
LOCK = """\
Sound_Thing==1.0 \\
    --hash=sha256:00
broken[extra]==2.0 ; python_version >= '3.11' \\
    --hash=sha256:01
"""


class Osv(ThreadingHTTPServer):
    """Knows advisories of one version."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[dict[str, Any]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1/querybatch"


class Handler(BaseHTTPRequestHandler):
    server: Osv

    def do_POST(self) -> None:
        queries = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["queries"]
        self.server.asked += queries
        vulns = [{"id": "PYSEC-2"}, {"id": "GHSA-1"}]
        results = [{"vulns": vulns} if query["package"]["name"] == "broken" else {} for query in queries]
        body = json.dumps({"results": results}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def osv() -> Iterator[Osv]:
    with Osv() as server:
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def audit(folder: Path, lock: str, url: str) -> subprocess.CompletedProcess[str]:
    (folder / "lock").write_text(lock)
    command = [sys.executable, str(AUDIT), str(folder / "lock")]
    return subprocess.run(command, env={"AUDIT_URL": url}, capture_output=True, text=True, check=False)


def test_what_is_known_against_a_version_is_named(tmp_path: Path, osv: Osv) -> None:
    done = audit(tmp_path, LOCK, osv.url)

    assert done.stdout == "broken==2.0: https://osv.dev/GHSA-1, https://osv.dev/PYSEC-2\n"
    assert done.returncode == 1
    assert osv.asked == [
        {"package": {"name": name, "ecosystem": "PyPI"}, "version": version}
        for name, version in (("broken", "2.0"), ("sound-thing", "1.0"))
    ]


def test_nothing_known_is_a_success(tmp_path: Path, osv: Osv) -> None:
    done = audit(tmp_path, "sound-thing==1.0\n", osv.url)

    assert (done.returncode, done.stdout) == (0, "")


def test_a_service_that_cannot_be_asked_is_neither(tmp_path: Path) -> None:
    done = audit(tmp_path, LOCK, "http://127.0.0.1:1/")

    assert done.returncode == 2
    assert "cannot be asked" in done.stderr
