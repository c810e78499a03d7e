"""A server that answers with what a client could choke on: nothing is believed, time and memory are bounded."""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from report_service.mock_api.operator import made_up_operator
from tests.support.hostile_server import HOSTILE, hostile_server
from tests.support.processes import CREDENTIALS, MONTH

if TYPE_CHECKING:
    from tests.support.processes import Cli

MOST_MB = 150
WEIGH = """
import os, subprocess, sys
process = subprocess.Popen(sys.argv[1:])
_, status, used = os.wait4(process.pid, 0)
print(used.ru_maxrss // 1024, file=sys.stderr)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""Starts a command from a small process, and says how many MB it held: Linux counts what its parent held."""
PATIENCE_S = 1
LONGEST_S = 15
"""Patience begins anew while something comes of it, and each request has a second: it takes a few."""
FIGURES = made_up_operator(MONTH, hubs=0, provider_groups=1)


@pytest.mark.long
@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("token", [False, True], ids=["to a report", "to the request for a token"])
def test_a_hostile_answer_is_no_acceptance_and_costs_little(sqlite_cli: Cli, name: str, token: bool) -> None:
    with hostile_server(name, token=token) as url:
        cli = sqlite_cli.using(
            **CREDENTIALS,
            OBELIS__MODE="http",
            OBELIS__BASE_URL=url,
            OBELIS__TOKEN_URL=f"{url}/token",
            OBELIS__TIMEOUT_S=1,
            RETRY__BASE_S=0.1,
        )
        cli.stock(FIGURES)
        weighed = replace(cli, launcher=(sys.executable, "-I", "-S", "-c", WEIGH, *cli.launcher))
        done = weighed.process("run", "--patience", PATIENCE_S, timeout_s=120)

    (end,) = (line for line in done.log if line["event"] in {"run.completed", "run.failed"})
    assert done.code in {3, 4}
    assert end["duration_s"] < LONGEST_S
    assert not done.events("report.accepted")
    assert int(done.err.split()[-1]) < MOST_MB
    assert "accepted" not in cli.states()
