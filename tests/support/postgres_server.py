"""PostgreSQL servers of a test's own, to be stopped, killed and promoted as nobody may do to a shared one."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEBIAN_S = sorted(map(str, Path("/usr/lib/postgresql").glob("*/bin")), reverse=True)
_ANYWHERE = os.pathsep.join([os.environ["PATH"], *_DEBIAN_S])
_AS: dict[str, str] = {"user": "nobody", "group": "nogroup"} if os.geteuid() == 0 else {}
"""A server refuses to be root's."""


@dataclass(frozen=True, kw_only=True)
class PostgresServer:
    """One server on a port of its own, which trusts whoever comes; its only database is `postgres`."""

    data: Path
    port: int

    @property
    def place(self) -> str:
        """Return host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Return the URL of its database."""
        return f"postgresql+psycopg://postgres@{self.place}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        settings = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories={self.data}"
        _run("pg_ctl", "start", "--wait", "-D", self.data, "-l", self.data / "log", "-o", settings)

    def crash(self) -> None:
        """End it at once, as a loss of power does; its log is replayed when it is started again."""
        _run("pg_ctl", "stop", "-D", self.data, "-m", "immediate")

    def promote(self) -> None:
        """Let a standby become the server that is written to."""
        _run("pg_ctl", "promote", "--wait", "-D", self.data)

    def speak_tls(self, certificate: bytes, key: bytes) -> None:
        """Let it show a certificate, beside connections without TLS."""
        for name, content in (("server.crt", certificate), ("server.key", key)):
            path = self.data / name
            path.write_bytes(content)
            path.chmod(0o600)
            if _AS:
                shutil.chown(path, **_AS)
        self.execute("ALTER SYSTEM SET ssl = on")
        self.execute("SELECT pg_reload_conf()")

    def execute(self, statement: str) -> None:
        """Do what its administrator would."""
        with psycopg.connect(self.url.replace("+psycopg", ""), autocommit=True) as admin:
            admin.execute(statement.encode())


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """Yield a new server that runs; it ends with the block."""
    with _stopped() as server:
        _run("initdb", "-D", server.data, "-U", "postgres", "-A", "trust", "--no-sync")
        server.start()
        yield server


@contextmanager
def standby_of(server: PostgresServer) -> Iterator[PostgresServer]:
    """Yield a standby that has whatever the server says is committed; it ends with the block."""
    with _stopped() as standby:
        source = f"host=127.0.0.1 port={server.port} user=postgres"
        _run("pg_basebackup", "-D", standby.data, "-d", source, "-R", "-X", "stream", "-c", "fast", "--no-sync")
        standby.start()
        server.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        server.execute("SELECT pg_reload_conf()")
        yield standby


@contextmanager
def _stopped() -> Iterator[PostgresServer]:
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        data = Path(folder, "data")
        data.mkdir(mode=0o700)
        if _AS:
            for path in (Path(folder), data):
                shutil.chown(path, **_AS)
        server = PostgresServer(data=data, port=free.getsockname()[1])
        free.close()
        try:
            yield server
        finally:
            if (data / "postmaster.pid").exists():
                server.crash()


def _run(program: str, *arguments: object) -> None:
    """Run one of PostgreSQL's programs; under CI it must be there, elsewhere its absence is a reason to skip."""
    found = shutil.which(program, path=_ANYWHERE)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"{program} is not installed")
        pytest.skip(f"{program} is not installed")
    done = subprocess.run(  # a server that it starts keeps what it inherits: so no pipe
        [found, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd="/",
        check=False,
        **_AS,  # type: ignore[call-overload]
    )
    assert done.returncode == 0, [program, *arguments]
