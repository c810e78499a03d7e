"""The image and the manifests as operators run them, by a real container engine.

The engine is one program, named by REPORT_SERVICE_CONTAINER_TOOL:
`TOOL -t TAG [--build-arg K=V]... PROJECT -- COMMAND...` builds the image and runs the command in it,
`TOOL --no-build --verify -t TAG PROJECT` starts it hardened, waits until it is healthy and stops it,
`TOOL podman ARGUMENTS...` is podman.

The image is built on this interpreter's own version of Python, whichever the Dockerfile names: what moves a
container's clock is this environment's. The base is named by BASE_IMAGE, or called as the official one is.
"""

from __future__ import annotations

import csv
import json
import os
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import time_machine
import yaml

from report_service.domain.months import ReportMonth
from report_service.mock_api.operator import made_up_operator
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROJECT = Path(__file__).parents[2]
MB = 1_000_000
DAY = datetime(2026, 11, 10, 12, tzinfo=UTC)
MONTH = "2026-10"
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
BASE_IMAGE = os.environ.get("BASE_IMAGE") or f"docker.io/library/python:{PYTHON}-slim-bookworm"
BARE = (  # nothing can be written but the volume
    "--read-only",
    "--read-only-tmpfs=false",
    "--cap-drop=all",
    "--security-opt=no-new-privileges",
    "--pids-limit=256",
    "--memory=256m",
)
HARDENED = (*BARE, "--tmpfs=/tmp:rw,size=64m,mode=1777")
ANYBODY = "--user=1000660000:0"
"""As OpenShift runs an image: a user that it does not know, of group 0."""


def unavailable(reason: str) -> None:
    """Skip, but fail under CI: there everything has to be had."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def tool() -> str:
    named = os.environ.get("REPORT_SERVICE_CONTAINER_TOOL")
    found = Path(named) if named else PROJECT.parent / "shared" / "tools" / "container.sh"
    if not os.access(found, os.X_OK):
        unavailable(f"no container tool at {found}: name one by REPORT_SERVICE_CONTAINER_TOOL")
    if os.geteuid() != 0:
        unavailable("the container tool needs root")
    return str(found)


class Engine:
    """The container tool, and the image under test."""

    def __init__(self, tool: str, tag: str) -> None:
        self._tool = tool
        self.tag = tag

    def call(self, *arguments: object, timeout_s: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._tool, *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def following(self, *arguments: str) -> subprocess.Popen[str]:
        """Start podman, to be read while it runs; its complaints are not wanted."""
        return subprocess.Popen(
            [self._tool, "podman", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )

    def podman(self, *arguments: object) -> str:
        done = self.call("podman", *arguments)
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout.strip()

    def size(self, image: str) -> int:
        return int(self.podman("image", "inspect", "--format={{.Size}}", image))


@pytest.fixture(scope="session")
def engine(tool: str) -> Iterator[Engine]:
    """Build the image, once; the first build on a machine also makes the base, which takes minutes."""
    engine = Engine(tool, f"localhost/report-service:test-{uuid.uuid4().hex[:8]}")
    labels = ("VERSION=1.2.3", "REVISION=abc", "CREATED=2026-11-01T00:00:00Z")
    arguments = [part for value in (f"BASE_IMAGE={BASE_IMAGE}", *labels) for part in ("--build-arg", value)]
    built = engine.call("-t", engine.tag, *arguments, PROJECT, "--", "--version", timeout_s=1200)
    assert built.returncode == 0, built.stdout + built.stderr
    yield engine
    engine.call("podman", "rmi", "--force", engine.tag)


class Container:
    """One container of the image, in mock mode, hardened as operators are told to."""

    def __init__(
        self, engine: Engine, *flags: str, command: tuple[str, ...], network: str, hardened: tuple[str, ...]
    ) -> None:
        self._engine = engine
        given = ("--detach", "--env=REPORT_SERVICE_OBELIS__MODE=mock", f"--network={network}", *flags)
        self.id = engine.podman("run", *hardened, *given, engine.tag, *command)

    def execute(self, *command: str) -> subprocess.CompletedProcess[str]:
        return self._engine.call("podman", "exec", self.id, *command)

    def wait_for(self, event: str, deadline_s: float = 60) -> dict[str, Any]:
        """Return the first log line of an event; each line before it has to be a JSON object."""
        with self._engine.following("logs", "--follow", self.id) as logs:
            too_late = threading.Timer(deadline_s, logs.kill)
            too_late.start()
            try:
                lines = map(json.loads, logs.stdout or ())
                found: dict[str, Any] | None = next((line for line in lines if line["event"] == event), None)
            finally:
                too_late.cancel()
                logs.kill()
        if found is None:
            everything = self._engine.call("podman", "logs", self.id)
            pytest.fail(f"no {event} within {deadline_s:g} s:\n{everything.stdout}{everything.stderr}")
        return found

    def stop(self) -> None:
        self._engine.podman("stop", "--time=10", self.id)

    def terminate(self) -> None:
        """Ask it to end, without the engine, which takes its time on a busy machine; wait until it has."""
        process = os.pidfd_open(int(self._engine.podman("inspect", "--format={{.State.Pid}}", self.id)))
        signal.pidfd_send_signal(process, signal.SIGTERM)
        ended, _, _ = select.select([process], [], [], 30)
        os.close(process)
        assert ended

    def kill(self) -> None:
        self._engine.podman("kill", "--signal=KILL", self.id)

    def exit_code(self) -> int:
        """Wait for its end."""
        return int(self._engine.podman("wait", self.id))

    def remove(self) -> None:
        self._engine.call("podman", "rm", "--force", "--volumes", "--time=0", self.id)


@pytest.fixture
def start(engine: Engine) -> Iterator[Callable[..., Container]]:
    """Return what starts containers, and remove them all in the end."""
    started = []

    def start(
        *flags: str,
        command: tuple[str, ...] = (),
        network: str = "none",
        hardened: tuple[str, ...] = HARDENED,
    ) -> Container:
        started.append(Container(engine, *flags, command=command, network=network, hardened=hardened))
        return started[-1]

    yield start
    for container in started:
        container.remove()


@pytest.fixture
def volume(engine: Engine) -> Iterator[str]:
    name = f"report-service-test-{uuid.uuid4().hex[:8]}"
    engine.podman("volume", "create", name)
    yield name
    engine.podman("volume", "rm", "--force", name)


@pytest.mark.container
def test_it_becomes_healthy_with_nothing_but_a_mode_and_ends_with_0_on_sigterm(engine: Engine) -> None:
    mock = ("--run-arg", "--env=REPORT_SERVICE_OBELIS__MODE=mock")

    verified = engine.call("--no-build", "--verify", "-t", engine.tag, *mock, PROJECT)

    told = verified.stdout + verified.stderr
    assert verified.returncode == 0, told
    assert "health: healthy" in told
    assert "stop: exit code 0" in told


@pytest.mark.container
def test_an_idle_container_says_why_it_stops_and_has_within_two_seconds(start: Callable[..., Container]) -> None:
    container = start()
    container.wait_for("run.completed")
    began = time.monotonic()
    container.terminate()
    took_s = time.monotonic() - began

    assert took_s < 2
    assert container.exit_code() == 0
    assert container.wait_for("service.stopping")["reason"] == "SIGTERM"


@pytest.mark.container
def test_the_process_is_nobody_and_can_become_nobody_else(start: Callable[..., Container]) -> None:
    container = start()
    container.wait_for("run.heartbeat")

    status = dict(line.split(":\t", 1) for line in container.execute("cat", "/proc/1/status").stdout.splitlines())

    assert status["Uid"].split() == ["10001"] * 4
    assert status["Gid"].split() == ["10001"] * 4
    assert int(status["CapEff"], 16) == 0
    assert int(status["CapBnd"], 16) == 0
    assert status["NoNewPrivs"] == "1"


@pytest.mark.container
def test_nothing_in_it_listens(start: Callable[..., Container]) -> None:
    container = start()
    container.wait_for("run.completed")

    sockets = container.execute("cat", "/proc/net/tcp", "/proc/net/tcp6", "/proc/net/udp", "/proc/net/udp6").stdout

    assert [line for line in sockets.splitlines() if "local_address" not in line] == []


@pytest.mark.container
def test_only_the_volume_and_tmp_can_be_written_and_that_is_enough(start: Callable[..., Container]) -> None:
    container = start()
    container.wait_for("run.heartbeat")

    refused = container.execute("touch", "/opt/report-service/x", "/etc/x", "/var/x", "/x")
    store = container.execute("ls", "/data").stdout.split()
    health = container.execute("report-service", "health")

    assert refused.stderr.count("Read-only file system") == 4
    assert "report-service.sqlite3" in store
    assert health.returncode == 0, health.stdout + health.stderr


@pytest.mark.container
@pytest.mark.parametrize("on_a_volume", [False, True])
def test_it_runs_as_any_user_of_group_0(start: Callable[..., Container], volume: str, on_a_volume: bool) -> None:
    container = start(ANYBODY, *([f"--volume={volume}:/data"] if on_a_volume else []))
    container.wait_for("run.completed")

    assert "report-service.sqlite3" in container.execute("ls", "/data").stdout.split()
    assert container.execute("report-service", "health").stdout.startswith("well: ")
    assert container.execute("report-service", "health", "--live").stdout == "alive\n"


@pytest.mark.container
def test_without_a_tmp_to_write_the_pulse_is_on_the_volume(start: Callable[..., Container]) -> None:
    container = start(ANYBODY, hardened=BARE)
    container.wait_for("run.completed")

    assert "Read-only file system" in container.execute("touch", "/tmp/x").stderr
    assert container.execute("report-service", "health").stdout.startswith("well: ")
    assert container.execute("report-service", "health", "--live").stdout == "alive\n"


@pytest.mark.container
def test_where_nothing_can_be_written_the_health_check_says_why_it_cannot_tell(engine: Engine) -> None:
    nowhere = (*BARE, ANYBODY, "--image-volume=ignore", "--mount=type=tmpfs,dst=/dev/shm,ro")

    asked = engine.call("podman", "run", "--rm", "--network=none", *nowhere, engine.tag, "health", "--live")

    assert asked.returncode == 1
    assert asked.stdout.startswith(
        "no pulse can be left here: /tmp, /dev/shm, . cannot be written; name a file by"
    )


@pytest.mark.container
def test_a_secret_that_is_rotated_in_its_folder_is_read_anew_on_a_hangup(
    engine: Engine, start: Callable[..., Container], tmp_path: Path
) -> None:
    settings = {
        "OBELIS__MODE": "http",
        "OBELIS__BASE_URL": "https://api.example",
        "OBELIS__TOKEN_URL": "https://api.example/token",
        "OBELIS__CLIENT_ID": "client",
        "OBELIS__CPO_ID": "DEABC",
    }
    secret = tmp_path / "secrets" / "report_service_obelis__client_secret"
    secret.parent.mkdir()
    secret.write_text("the-first-secret\n")
    container = start(
        *(f"--env=REPORT_SERVICE_{name}={value}" for name, value in settings.items()),
        f"--volume={secret.parent}:/run/secrets:ro",
    )
    container.wait_for("run.heartbeat")
    secret.with_name("fresh").write_text("the-second-secret\n")
    secret.with_name("fresh").replace(secret)  # as an orchestrator puts it there
    engine.podman("kill", "--signal=HUP", container.id)

    reread = container.wait_for("secrets.reread")

    assert (reread["reason"], reread["changed"]) == ("hangup", True)
    assert "secret" not in engine.podman("logs", container.id).replace("client_secret", "").replace("secrets.", "")


@pytest.fixture
def played(engine: Engine, tmp_path: Path) -> Iterator[str]:
    """Run the pod of the manifests as they stand, but for its image's name; return the container's name.

    (Podman 4 has one replica only, and mounts the data of a Secret as it is encoded: so they are a ConfigMap's.)
    """
    files = (PROJECT / "config" / "kubernetes" / f"{name}.yaml" for name in ("configmap", "secret", "deployment"))
    config, secret, deployment = (yaml.safe_load(file.read_text("utf-8")) for file in files)
    secret |= {"kind": "ConfigMap", "data": secret.pop("stringData")}
    deployment["spec"]["replicas"] = 1
    pod = deployment["spec"]["template"]["spec"]
    pod["containers"][0] |= {"image": engine.tag, "imagePullPolicy": "Never"}
    for volume in (it for it in pod["volumes"] if "secret" in it):
        volume["configMap"] = {"name": volume.pop("secret")["secretName"]}
    manifest = tmp_path / "pod.yaml"
    manifest.write_text(yaml.safe_dump_all([config, secret, deployment]))
    engine.podman("kube", "play", "--network=none", manifest)
    yield "report-service-pod-0-report-service"
    engine.call("podman", "kube", "down", manifest)
    engine.call("podman", "volume", "rm", "--force", "report-service", "report-service-secrets")


@pytest.mark.container
def test_the_pod_of_the_manifests_starts_and_lives_though_database_and_api_are_away(
    engine: Engine, played: str
) -> None:
    def said(*command: str) -> str:
        return engine.call("podman", "exec", played, "report-service", *command).stdout

    wait_until(lambda: "run.heartbeat" in engine.call("podman", "logs", played).stdout)

    assert said("health", "--live") == "alive\n"
    assert said("health").startswith("the store cannot be reached: ")
    assert "replace-me" not in engine.podman("logs", played)


@pytest.mark.container
def test_a_tenth_of_a_core_is_enough_to_start_and_to_be_probed_in_time(start: Callable[..., Container]) -> None:
    container = start("--cpus=0.1")
    container.wait_for("run.completed", deadline_s=300)

    probed = container.execute("timeout", "10", "report-service", "health", "--live")  # the image's own time-out

    assert probed.stdout == "alive\n"


@pytest.mark.container
def test_there_is_nothing_in_it_to_install_or_compile_with(engine: Engine) -> None:
    look = "command -v gcc cc make git; python -m pip --version"

    done = engine.call("podman", "run", "--rm", "--network=none", "--entrypoint=sh", engine.tag, "-c", look)

    assert done.stdout == ""
    assert "No module named pip" in done.stderr


@pytest.mark.container
def test_it_says_what_it_is_and_of_what_and_adds_at_most_85_mb_to_its_base(engine: Engine) -> None:
    (image,) = json.loads(engine.podman("image", "inspect", engine.tag))
    labels = {name.removeprefix("org.opencontainers.image."): value for name, value in image["Labels"].items()}

    assert labels["title"] == "report-service"
    assert (labels["version"], labels["revision"]) == ("1.2.3", "abc")
    assert labels["created"] == "2026-11-01T00:00:00Z"
    assert image["Config"]["Entrypoint"] == ["report-service"]
    assert image["Config"]["Cmd"] == ["daemon"]
    assert image["Config"]["StopSignal"] == "SIGTERM"
    assert {"base.digest", "source"} <= labels.keys()
    assert engine.size(engine.tag) - engine.size(labels["base.name"]) <= 85 * MB
    listed = engine.podman(
        "run", "--rm", "--network=none", "--entrypoint=cat", engine.tag, "/opt/report-service/sbom.cdx.json"
    )
    assert {"httpx", "sqlalchemy"} <= {component["name"] for component in json.loads(listed)["components"]}
    assert "backfill" in engine.podman("run", "--rm", "--network=none", engine.tag, "--help")


@pytest.mark.container
def test_a_store_that_the_configuration_names_wins_over_the_image_s_own(
    start: Callable[..., Container], tmp_path: Path
) -> None:
    config = tmp_path / "report-service.toml"
    config.write_text('[store]\nurl = "sqlite:////tmp/elsewhere.sqlite3"\n')
    config.chmod(0o644)

    container = start(f"--volume={config}:/etc/report-service/report-service.toml:ro")
    container.wait_for("run.heartbeat")

    assert container.execute("ls", "/data").stdout == ""
    assert "elsewhere.sqlite3" in container.execute("ls", "/tmp").stdout.split()


@pytest.mark.container
@pytest.mark.postgres
def test_the_store_s_url_may_be_a_file_that_only_the_service_can_read(
    start: Callable[..., Container], postgres_url: str, tmp_path: Path
) -> None:
    secret = tmp_path / "url"
    secret.write_text(f"{postgres_url}\n")
    os.chown(secret, 10001, 10001)
    secret.chmod(0o400)

    container = start(f"--volume={secret}:/run/secrets/report_service_store__url:ro", network="host")
    container.wait_for("run.completed")

    assert container.execute("ls", "/data").stdout == ""
    with psycopg.connect(postgres_url.replace("+psycopg", "")) as connection:
        assert connection.execute("SELECT count(*) FROM runs").fetchone() == (1,)


@pytest.mark.container
def test_a_month_is_delivered_once_though_the_container_is_killed_and_started_again(
    engine: Engine, start: Callable[..., Container], volume: str, tmp_path: Path
) -> None:
    flags = (
        f"--volume={volume}:/data",
        f"--volume={written(ReportMonth.parse(MONTH), tmp_path / 'figures')}:/figures:ro",
        f"--volume={clock_at(DAY, tmp_path / 'clock')}:/clock:ro",
        "--env=PYTHONPATH=/clock",
    )
    imported = start(*flags, command=("import", "/figures"))
    assert imported.exit_code() == 0

    first = start(*flags)
    delivered = first.wait_for("run.completed")
    first.kill()
    code = first.exit_code()
    second = start(*flags)
    again = second.wait_for("run.completed")
    standing = json.loads(second.execute("report-service", "status", "--json").stdout)
    second.stop()

    assert code == 137
    assert (standing["expected"], standing["complete"]) == (1 + 3 + 2 * 2 + 2 * 2, True)
    assert standing["by_state"]["accepted"] == standing["expected"]
    assert delivered["month"] == again["month"] == standing["month"] == MONTH
    place = engine.podman("volume", "inspect", "--format={{.Mountpoint}}", volume)
    ledger = sqlite3.connect(f"file:{place}/report-service.sqlite3?mode=ro", uri=True)
    sent = ledger.execute("SELECT count(*), count(DISTINCT delivery_id) FROM attempts WHERE delivery_id > 0")
    assert sent.fetchone() == (standing["expected"], standing["expected"])
    ledger.close()


def clock_at(moment: datetime, folder: Path) -> Path:
    """Make what moves a container's wall clock, so that it does not matter on which day the tests are run.

    (libfaketime is not up to it: under it, Python's waiting for a lock never ends.)
    """
    ahead = moment - datetime.now(UTC)
    package = Path(time_machine.__file__).parent
    shutil.copytree(package, folder / "time_machine", ignore=shutil.ignore_patterns("__pycache__"))
    for library in package.parent.glob("_time_machine*"):
        shutil.copy(library, folder)
    (folder / "sitecustomize.py").write_text(
        "import datetime, time_machine\n"
        f"ahead = datetime.timedelta(seconds={ahead.total_seconds()})\n"
        "time_machine.travel(datetime.datetime.now(datetime.UTC) + ahead).start()\n"
    )
    folder.chmod(0o755)
    return folder


def written(month: ReportMonth, folder: Path) -> Path:
    """Write the CSV files of a small operator, which anyone may read."""
    folder.mkdir()
    folder.chmod(0o755)
    for name, rows in made_up_operator(month, hubs=2, points_per_hub=2, provider_groups=3).items():
        with (folder / f"{name}.csv").open("w", encoding="utf-8") as file:
            table = csv.DictWriter(file, rows[0].keys())
            table.writeheader()
            table.writerows(rows)
    return folder
