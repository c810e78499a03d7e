"""The monitoring chain with its real programs, and stories that write the logs for it.

A `Story` is a daemon of the real service in simulated time: what happens to it is written by the real logging into
a file. At each checkpoint the real mtail reads what is there so far; from the metrics of all checkpoints comes a
test for the real promtool, which evaluates the rules minute by minute. Its clock starts in 1970, and so does the
story's: each metric that is a time is moved by the same amount.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import subprocess
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import pytest
import yaml

from report_service.bootstrap.daemon import Daemon, build_daemon
from report_service.events import Level
from report_service.logs.config import Logging, configure_logging
from report_service.mock_api.injected_faults import InjectedFault
from tests.support.simulation import SimulatedBackground, SimulatedExecutor, World, settings_of, site

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from report_service.ports import ReportApi, RequestExecutor
    from tests.support.simulation import Site

FOLDER = Path(__file__).parents[2] / "config" / "monitoring"
RULES = FOLDER / "report-service.rules.yml"
BEAT = timedelta(minutes=5)
BEFORE = 100
"""Minutes: longer than what any rule waits for, or looks back, while its cause is there."""

Metrics = dict[str, float]


def rules() -> list[dict[str, Any]]:
    """Return every rule, recording and alerting."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alerts() -> dict[str, dict[str, Any]]:
    """Return the alerting rules by name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def needed(program: str) -> str:
    """Return where a program is; skip where it is missing, and fail under CI, which has to have it."""
    found = shutil.which(program)
    if found is None:
        reason = f"{program} is not installed"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def run(*command: object) -> str:
    """Run a program and return what it wrote; fail when it failed."""
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def metrics_of(*logs: Path) -> Metrics:
    """Return what mtail makes of logs, as a value for each series; the label `log` is the file's name alone."""
    options = [
        "--one_shot",
        "--one_shot_format=json",
        "--emit_prog_label=false",
        "--address=127.0.0.1",
        "--port=0",
    ]
    found = json.loads(
        run(
            needed("mtail"),
            *options,
            f"--progs={FOLDER}",
            *(f"--logs={log}" for log in logs),
            "--stderrthreshold=3",
        )
    )
    metrics = {}
    for metric in (each for several in found.values() for each in several if not each.get("Hidden")):
        for sample in metric.get("LabelValues") or []:
            labels = zip(metric.get("Keys", []), sample.get("Labels", []), strict=True)
            named = ", ".join(f'{name}="{Path(value).name}"' for name, value in labels)
            metrics[metric["Name"] + (f"{{{named}}}" if named else "")] = float(sample["Value"]["Value"])
    return metrics


@dataclass(slots=True)
class History:
    """The metrics as they were from one moment to the next, and the alerts expected at some of them."""

    states: list[tuple[datetime, Metrics]] = field(default_factory=list)
    expected: list[tuple[datetime, set[str]]] = field(default_factory=list)

    def check(self, folder: Path) -> None:
        """Let promtool see whether exactly the expected alerts fire at each of the moments."""
        path = folder / "story.test.yml"
        tests = [self._test(at, alerts) for at, alerts in self.expected]
        path.write_text(
            yaml.safe_dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": tests}),
            encoding="utf-8",
        )
        run(needed("promtool"), "test", "rules", path)

    def _test(self, at: datetime, alerts: set[str]) -> dict[str, Any]:
        """Return a test of one moment, which begins so long before that every `for` has its time."""
        base = math.ceil(at.timestamp()) - BEFORE * 60
        names = {name for _, metrics in self.states for name in metrics}
        return {
            "name": at.isoformat(),
            "interval": "1m",
            "input_series": [
                {"series": name, "values": _values(list(self._samples(name, base)))} for name in sorted(names)
            ],
            "promql_expr_test": [
                {
                    "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                    "eval_time": f"{BEFORE}m",
                    "exp_samples": [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(alerts)],
                }
            ],
        }

    def _samples(self, name: str, base: int) -> Iterator[float | None]:
        """Yield a series' value minute by minute; None while there is none."""
        states = iter(self.states)
        following = next(states, None)
        value: float | None = None
        for minute in range(BEFORE + 1):
            while following and following[0].timestamp() <= base + minute * 60:
                value = following[1].get(name)
                if value is not None and name.partition("{")[0].endswith("_timestamp_seconds"):
                    value -= base
                following = next(states, None)
            yield value


def _values(samples: Sequence[float | None]) -> str:
    """Return a series in promtool's notation: `_` for no value, `5+0x3` for four times 5."""
    runs = [(value, len(list(same))) for value, same in groupby(samples)]
    return " ".join(f"_x{times}" if value is None else f"{value:.10g}+0x{times - 1}" for value, times in runs)


@dataclass(slots=True)
class Teller:
    """One daemon and the log that it writes."""

    daemon: Daemon
    log: Path
    logging: Logging
    stream: TextIO

    def close(self) -> None:
        self.daemon.service.close()
        self.logging.close()
        self.stream.close()


class Story:
    """What happens to daemons, and what the monitoring makes of it."""

    def __init__(
        self, folder: Path, moment: datetime | None = None, *, watched: bool = True, hubs: int = 2
    ) -> None:
        """Begin at a moment with a made-up operator; by default when October has been open for a day.

        One that is not `watched` only writes logs.
        """
        self.folder = folder
        self.world = World(moment) if moment else World()
        self.site = site(folder, self.world, hubs=hubs)
        self.history = History()
        self.watched = watched
        self.tellers: list[Teller] = []

    def start(
        self,
        *,
        at: Site | None = None,
        log: str = "a.log",
        executor: Callable[[ReportApi], RequestExecutor] | None = None,
        **environ: str,
    ) -> Teller:
        """Start a daemon, on the story's store unless another is given, that appends to a log of this name."""
        where = at or self.site
        path = self.folder / log
        stream = path.open("a", encoding="utf-8")
        logging = configure_logging(form="json", level=Level.INFO, stream=stream, now=self.world.now, strict=True)
        daemon = build_daemon(
            settings_of(where.url, **{"schedule__rehearse_day": "0", **environ}),
            events=logging.events,
            redact=logging.redactor,
            write=lambda _pulse: None,
            clock=self.world,
            background=SimulatedBackground(self.world),
            mock=self.world.mock,
            executor=executor or (lambda api: SimulatedExecutor(api, self.world, 16)),
            seed=len(self.tellers) + 1,
        )
        self.tellers.append(Teller(daemon, path, logging, stream))
        return self.tellers[-1]

    def faults(self, *faults: str) -> None:
        self.world.mock.set_faults([InjectedFault.parse(fault) for fault in faults])

    def live(self, span: timedelta, *tellers: Teller, working: bool = True) -> None:
        """Let time go by; every five minutes those named (all, unless some are) look and their hearts beat."""
        end = self.world.now() + span
        while self.world.now() < end:
            self.world.turn(min(BEAT, end - self.world.now()).total_seconds())
            self.beat(*tellers, working=working)

    def beat(self, *tellers: Teller, working: bool = True) -> None:
        """Let those named (all, unless some are) look, and their hearts beat."""
        for teller in tellers or self.tellers:
            if working:
                teller.daemon.watch.tick()
                teller.daemon.rehearsal.look()
            teller.daemon.heartbeat.beat()
        self.note()

    def note(self) -> None:
        """Let mtail read the logs as they are now."""
        if not self.watched:
            return
        logs = sorted({teller.log for teller in self.tellers})
        self.history.states.append((self.world.now(), metrics_of(*logs)))

    def expect(self, *alerts: str) -> None:
        """Say which alerts fire now, and no others; a minute goes by."""
        self.history.expected.append((self.world.now(), {f"ReportService{alert}" for alert in alerts}))
        self.world.turn(60)

    def timestamp(self) -> str:
        """Return the present moment as a line has it."""
        return self.world.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def write(self, line: Mapping[str, object] | str, log: str = "a.log") -> None:
        """Append a line to a log."""
        with (self.folder / log).open("a", encoding="utf-8") as file:
            file.write((line if isinstance(line, str) else json.dumps(line)) + "\n")

    def check(self) -> None:
        self.history.check(self.folder)

    def close(self) -> None:
        for teller in reversed(self.tellers):
            teller.close()
