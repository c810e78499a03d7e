"""The console script: global options, the commands, and how their ends become exit codes.

Modules of commands import what is heavy inside their functions, so that `--help` stays quick.
"""

from __future__ import annotations

import sys
from inspect import getdoc
from pathlib import Path
from typing import Annotated

import typer

import report_service
from report_service.cli.arguments import require_text
from report_service.cli.backfill import backfill
from report_service.cli.check import check
from report_service.cli.contract import contract
from report_service.cli.correct import correct
from report_service.cli.daemon import daemon
from report_service.cli.db import db
from report_service.cli.demo import demo
from report_service.cli.exits import code_of, explain
from report_service.cli.explain import explain_report
from report_service.cli.export import export
from report_service.cli.handed_in import handed_in
from report_service.cli.health import health
from report_service.cli.import_ import import_
from report_service.cli.mock_api import mock_api
from report_service.cli.parameters import Command, Group
from report_service.cli.rehearse import rehearse
from report_service.cli.retry import retry
from report_service.cli.run import run
from report_service.cli.status import status
from report_service.cli.streams import unbreakable
from report_service.cli.template import template
from report_service.cli.waive import waive
from report_service.errors import ReportServiceError, UsageError

app = typer.Typer(
    cls=Group,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Deliver a charge point operator's monthly reports to OBELISdeutschlandnetz, and prove it.",
    epilog="Exit codes: 0 complete or done; 2 usage, configuration or refused input; 3 something needs a person "
    "or more time; 4 stopped (credentials, API down, another process delivers); 1 a bug.\n\n"
    "Example: report-service run",
)
app.command("daemon")(daemon)
app.command("run")(run)
app.command("backfill")(backfill)
app.command("status")(status)
app.command("explain")(explain_report)
app.command("retry")(retry)
app.command("correct")(correct)
app.command("waive")(waive)
app.command("handed-in")(handed_in)
app.command("check")(check)
app.command("rehearse")(rehearse)
app.command("import")(import_)
app.command("template")(template)
app.command("export")(export)
app.command("contract")(contract)
app.command("demo")(demo)
app.command("mock-api")(mock_api)
app.command("health")(health)
app.add_typer(db, name="db", cls=Group)

EXAMPLES = {
    "daemon": "report-service --config /etc/report-service/report-service.toml daemon",
    "run": "report-service run --month 2026-10 --dry-run",
    "backfill": "report-service backfill --from 2026-08 --output handover",
    "status": "report-service status --month 2026-10 --all",
    "explain": "report-service explain 2026-10/hotline_rating",
    "retry": "report-service retry --month 2026-10 --kind hub_rating",
    "correct": "report-service correct --month 2026-10 --dry-run",
    "waive": 'report-service waive 2026-10/hotline_rating --reason "no calls all month"',
    "rehearse": "report-service rehearse --month 2026-11",
    "check": "report-service check --json",
    "handed-in": 'report-service handed-in --month 2026-08 --reference "e-mail of 3 October to the authority"',
    "import": "report-service import figures/ hubs.csv",
    "template": "report-service template --month 2026-10 --out october.xlsx",
    "export": "report-service export --month 2026-10 --format html --out october.html",
    "contract": "report-service contract openapi.yaml",
    "demo": "report-service demo --hubs 5 --folder demo",
    "mock-api": "report-service mock-api --port 8080 --latency lognormal:200ms,800ms --fault 503:0.05",
    "health": "report-service health --live",
    "upgrade": "report-service db upgrade",
}
"""What the help of each command ends with."""


def _flowing(text: str) -> str:
    """Return paragraphs of one line each, to be broken where the terminal ends, in which nothing is markup."""
    return "\n\n".join(" ".join(part.split()) for part in text.split("\n\n")).replace("[", r"\[")


def _in_words() -> None:
    """Give each command the help that every command has."""
    for command in (*app.registered_commands, *db.registered_commands):
        command.cls = Command
        command.help = _flowing(command.help or getdoc(command.callback) or "")
        name = command.name or getattr(command.callback, "__name__", None)
        if name in EXAMPLES:
            command.epilog = f"Example: {EXAMPLES[name]}"


_in_words()


def _version(wanted: bool) -> None:
    if wanted:
        print(f"report-service {report_service.__version__}")
        raise typer.Exit


@app.callback()
def options(
    ctx: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(help="Default: ./report-service.toml, then /etc/report-service/report-service.toml."),
    ] = None,
    version: Annotated[  # noqa: ARG001 - its callback does the work
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Keep the global options for the command."""
    ctx.obj = config


def main() -> None:
    """Run the command line and exit."""
    sys.stdout, sys.stderr = unbreakable(sys.stdout), unbreakable(sys.stderr)
    sys.exit(invoke(sys.argv[1:]))


def invoke(arguments: list[str]) -> int:
    """Run one command and return its exit code; what went wrong is told on standard error."""
    try:
        require_text(arguments)
        return int(app(arguments, standalone_mode=False) or 0)
    except typer.TyperException as exc:  # the command line itself is wrong
        if exc.format_message():  # empty: no command was given, and the help is shown
            explain(UsageError(exc.format_message(), hint="report-service COMMAND --help says what it takes."))
        return 2
    except (typer.Abort, KeyboardInterrupt):
        print("Interrupted.", file=sys.stderr)
        return 3
    except ReportServiceError as exc:
        explain(exc)
        return code_of(exc)
