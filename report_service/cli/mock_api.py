"""`report-service mock-api`: a mock of the OBELIS API over HTTP, for tests, load tests and trying things out."""

from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal, TextIO
from zoneinfo import ZoneInfo

import typer

from report_service.domain.kinds import KIND_BY_NAME, Kind
from report_service.errors import BadInput
from report_service.mock_api.answers import Dialect
from report_service.mock_api.known_hubs import KnownHubs, read_points
from report_service.mock_api.latency import Latency, parse_latency, recorded


def mock_api(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0: any free one.")] = 8080,
    dialect: Annotated[
        Dialect, typer.Option(help="Form of paths and answers; 0.9: /locations/..., failures as HTTP 200.")
    ] = Dialect.GUIDE,
    path: Annotated[
        list[str] | None, typer.Option(help="KIND=TEMPLATE: another path of a kind, below the prefix; repeatable.")
    ] = None,
    latency: Annotated[
        str, typer.Option(help="Time to answer: none, 200ms, 1.5s, or lognormal:MEDIAN,P95.")
    ] = "none",
    latency_from: Annotated[
        str | None, typer.Option(metavar="LEDGER_URL", help="Sample it from the durations recorded in a ledger.")
    ] = None,
    limit: Annotated[int, typer.Option(min=0, help="Requests in any 60 s, 429 above it; 0: no limit.")] = 2000,
    limit_per_second: Annotated[int, typer.Option(min=0, help="The same for any 1 s.")] = 0,
    retry_after: Annotated[float | None, typer.Option(min=0, help="Retry-After of those 429, seconds.")] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(
            help="A status, drop, lost, cut, html, no, huge, slow, altered: 503:0.05, 429=5@hub_rating#1-3; "
            "repeatable."
        ),
    ] = None,
    inventory: Annotated[
        Path | None, typer.Option(help="Folder with hubs.csv and points.csv: no other ids are known.")
    ] = None,
    hidden: Annotated[
        list[str] | None, typer.Option(help="HUB_ID=SECONDS: not known until so long after the start; repeatable.")
    ] = None,
    client_id: Annotated[str | None, typer.Option(help="The only client id accepted; by default any.")] = None,
    client_secret: Annotated[
        str | None, typer.Option(help="The only secret accepted; a made-up one, arguments can be read by others.")
    ] = None,
    cpo_id: Annotated[str | None, typer.Option(help="The only CPO id accepted.")] = None,
    token_lifetime: Annotated[float, typer.Option(min=0, help="Seconds until a token expires.")] = 3600,
    now: Annotated[
        datetime | None,
        typer.Option(
            formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d"],
            help="Its time at the start, UTC; by default the true one.",
        ),
    ] = None,
    zone: Annotated[
        Literal["Europe/Berlin", "UTC"], typer.Option(help="Where it counts the previous month.")
    ] = "Europe/Berlin",
    any_month: Annotated[bool, typer.Option("--any-month", help="Take reports for any month.")] = False,
    log: Annotated[Path | None, typer.Option(help="File to append one line of JSON to for each request.")] = None,
    seed: Annotated[int | None, typer.Option(help="Repeat the same faults, latencies and ids.")] = None,
) -> None:
    """Serve a mock of the OBELIS API until interrupted.

    Tokens come from /token; GET /_mock/stats counts what arrived. It forgets everything at its end.
    """
    from report_service.adapters.clock import SystemClock
    from report_service.mock_api.app import MockObelis, routes_of
    from report_service.mock_api.injected_faults import InjectedFault
    from report_service.mock_api.server import serve

    clock = SystemClock()
    credentials = {"client_id": client_id, "client_secret": client_secret, "cpo_id": cpo_id}
    with ExitStack() as files:
        app = MockObelis(
            clock=clock,
            dialect=dialect,
            routes=routes_of(dialect, _paths(path or [])),
            credentials={name: value for name, value in credentials.items() if value is not None},
            token_lifetime_s=token_lifetime,
            inventory=_inventory(inventory, hidden or []),
            zone=ZoneInfo(zone),
            any_month=any_month,
            skew_s=(now.replace(tzinfo=UTC) - clock.now()).total_seconds() if now else 0.0,
            requests_per_minute=limit,
            requests_per_second=limit_per_second,
            retry_after_s=retry_after,
            latency=_recorded(latency_from) if latency_from else parse_latency(latency),
            faults=[InjectedFault.parse(text) for text in fault or []],
            seed=seed,
            log=files.enter_context(_open(log)).write if log else None,
        )
        serve(
            app, host, port, on_ready=lambda url: print(f"OBELIS mock ({dialect}) listening on {url}", flush=True)
        )


def _paths(pairs: list[str]) -> dict[Kind, str]:
    paths = {}
    for pair in pairs:
        kind, _, template = pair.partition("=")
        if kind not in KIND_BY_NAME or not template.startswith("/"):
            raise BadInput(
                f"--path {pair!r} is not KIND=TEMPLATE",
                hint="Write it as hub_rating=/charginghub/{hub_id}/ratings; "
                f"the kinds are {', '.join(KIND_BY_NAME)}.",
            )
        paths[KIND_BY_NAME[kind]] = template
    return paths


def _inventory(folder: Path | None, hidden: list[str]) -> KnownHubs:
    visible_after_s = {}
    for pair in hidden:
        hub_id, _, seconds = pair.rpartition("=")
        if not hub_id or not seconds.isdecimal():
            raise BadInput(f"--hidden {pair!r} is not HUB_ID=SECONDS", hint="Write it as <hub_id>=900.")
        visible_after_s[hub_id.lower()] = float(seconds)
    return KnownHubs(points=read_points(folder) if folder else None, visible_after_s=visible_after_s)


def _recorded(ledger_url: str) -> Latency:
    from report_service.bootstrap.stores import recorded_latencies

    durations = recorded_latencies(ledger_url)
    if not durations:
        raise BadInput(
            "the ledger named by --latency-from holds no durations yet",
            hint="Deliver something first, or describe them: --latency lognormal:200ms,800ms.",
        )
    return recorded(durations)


def _open(path: Path) -> TextIO:
    """Open the log; it is written line by line, so that others can read it while it grows."""
    try:
        return path.open("a", encoding="utf-8", buffering=1)
    except OSError as exc:
        raise BadInput(
            f"--log {path} cannot be written: {exc.strerror}", hint="Name a file in a folder that exists."
        ) from exc
