"""PgBouncer in front of a test's database: a pooler in transaction mode, as managed databases have it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import make_url

from tests.support.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CONNECTIONS = 3
"""To the server: fewer than the clients, so that transactions of one client go through several of them."""


def program() -> str:
    """Return where PgBouncer is; under CI it must be there, elsewhere its absence is a reason to skip."""
    found = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("pgbouncer is not installed")
        pytest.skip("pgbouncer is not installed")
    return found


@contextmanager
def pooled(url: str, folder: Path) -> Iterator[str]:
    """Yield the URL of the same database through a pooler of its own, which ends with the block."""
    server = make_url(url)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "users.txt").write_text(f'"{server.username}" "{server.password or ""}"\n')
    (folder / "pgbouncer.ini").write_text(
        "[databases]\n"
        f"* = host={server.host} port={server.port or 5432}\n"
        "[pgbouncer]\n"
        f"listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
        f"auth_type = trust\nauth_file = {folder / 'users.txt'}\n"
        f"pool_mode = transaction\ndefault_pool_size = {CONNECTIONS}\nserver_round_robin = 1\n"
    )
    for path in (folder, *folder.iterdir()):
        path.chmod(0o755)
    through = server.set(host="127.0.0.1", port=port)
    # It refuses to run as root; it reads its files before it becomes another user.
    other = ["-u", "nobody"] if os.geteuid() == 0 else []
    with subprocess.Popen([program(), "-q", *other, str(folder / "pgbouncer.ini")]) as process:
        try:
            wait_until(
                lambda: _answers(through.set(drivername="postgresql").render_as_string(hide_password=False))
            )
            yield through.render_as_string(hide_password=False)
        finally:
            process.kill()


def _answers(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=1).close()
    except psycopg.OperationalError:
        return False
    return True
