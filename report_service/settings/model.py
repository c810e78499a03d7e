"""What can be set: one class a section, each setting with its range, default and description.

A description is one line for the operator. config/report-service.toml repeats it, and a test keeps the two
the same. Types are strict: a number in quotes is refused. What is secret has a type that does not print.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    Secret,
    SecretStr,
    create_model,
    field_validator,
)

from report_service.domain.kinds import KIND_BY_NAME, KINDS
from report_service.domain.routes import GUIDE_CORRECTION, GUIDE_PREFIX
from report_service.domain.table_schemas import INVENTORY_SCHEMAS, REPORT_SCHEMAS
from report_service.settings import rules
from report_service.settings.rules import PasswordUrl, path_template

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationInfo

    from report_service.domain.kinds import Kind

if TYPE_CHECKING:
    SourceName = str
else:
    SourceName = Literal[tuple(schema.name for schema in (*INVENTORY_SCHEMAS, *REPORT_SCHEMAS.values()))]
"""The tables that an operator's own query may stand for: which there are, the kinds of report say."""

MOCK_API = {
    "base_url": "https://mock.invalid",
    "token_url": "https://mock.invalid/token",
    "client_id": "mock",
    "client_secret": "mock-secret",
    "cpo_id": "MOCK",
}
"""What stands in mock mode for each setting that http mode needs; no such host can exist (RFC 2606)."""


ARRIVAL_MARGIN_S = 5
"""What a request may be late beside its time-out: what two clocks, and the API's whole seconds, leave unknown."""


class Section(BaseModel):
    """What all sections have in common."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )

    @field_validator("*", mode="before")
    @classmethod
    def _text_in_utf_8(cls, value: object) -> object:
        return rules.utf_8(value) if isinstance(value, str) else value


class _Prefix(Section):
    prefix: Annotated[str, AfterValidator(rules.path_prefix)] = Field(
        default=GUIDE_PREFIX, description="What every path below begins with; may be empty"
    )


def _path_of(kind: Kind) -> tuple[object, object]:
    """Return the setting of a kind's path: which placeholders it may hold, the guide's path says."""
    may = re.findall(r"\{(\w+)\}", kind.path)
    must = [name for name in may if kind.subject and name == kind.subject.column]
    optional = [name for name in may if name not in must]
    description = (
        f"Path of {kind.label} reports"
        + (f"; must hold {{{must[0]}}}" if must else "")
        + (f", may hold {{{optional[0]}}}" if optional else "")
    )
    return (
        Annotated[str, path_template(*must, optional=tuple(optional))],
        Field(default=kind.path, description=description),
    )


if TYPE_CHECKING:
    _KindPaths = _Prefix
else:
    _KindPaths = create_model("_KindPaths", __base__=_Prefix, **{kind.name: _path_of(kind) for kind in KINDS})


class PathSettings(_KindPaths):
    """Where on the API each kind of report goes: below `prefix`, with the guide's paths as defaults."""

    correction: Annotated[str, path_template(any_of=("month", "obelis_id"))] = Field(
        default=GUIDE_CORRECTION,
        description="What a correction's path ends with, after the report's own; must hold {month} or {obelis_id}",
    )

    def of(self, kind: Kind) -> str:
        """Return the path of a kind, below the prefix."""
        return str(getattr(self, kind.name))

    @field_validator(*KIND_BY_NAME)
    @classmethod
    def _one_kind_a_path(cls, path: str, info: ValidationInfo) -> str:
        if path in [info.data.get(name) for name in KIND_BY_NAME]:
            raise ValueError("is the path of another kind: each kind needs its own")
        return path


class ObelisSettings(Section):
    """The API that is reported to, and how politely."""

    mode: Literal["mock", "http"] = Field(
        description='"mock": the built-in mock, nothing leaves the process; "http": the API at base_url'
    )
    base_url: Annotated[str, AfterValidator(rules.origin)] = Field(
        default=None,
        validate_default=True,
        description='Scheme and host of the API; needed when mode = "http", as are the four that follow',
    )
    token_url: Annotated[str, AfterValidator(rules.web_url)] = Field(
        default=None,
        validate_default=True,
        description="Whole URL of the token endpoint, as OBELIS gave it to you",
    )
    client_id: Annotated[str, AfterValidator(rules.printable_text)] = Field(
        default=None, validate_default=True, min_length=1, description="Client id that OBELIS gave you"
    )
    client_secret: Annotated[SecretStr, AfterValidator(rules.printable_secret)] = Field(
        default=None,
        validate_default=True,
        description="Client secret that OBELIS gave you; keep it out of this file: "
        "use the environment, a _FILE variable or the secrets folder",
    )
    cpo_id: Annotated[str, AfterValidator(rules.printable_text)] = Field(
        default=None, validate_default=True, min_length=1, description="Your id as charge point operator"
    )
    requests_per_minute: int = Field(
        default=2000,
        ge=1,
        le=100_000,
        description="The API's limit, token requests included; above 2000 only on the authority's word",
    )
    max_in_flight: int = Field(
        default=16, ge=1, le=64, description="Requests that may wait for their answers at once: 1 to 64"
    )
    timeout_s: float = Field(
        default=25,
        gt=0,
        lt=30,
        description="Seconds that one request may take: above 0, below 30, "
        "for a request must end within half of the 60 s lease",
    )
    window_guard_s: float = Field(
        default=60,
        le=3600,
        description="Seconds kept free of sending at either end of a month's window: timeout_s + 5 to 3600",
    )
    ca_file: Annotated[Path, Field(strict=False), AfterValidator(rules.existing_file)] | None = Field(
        default=None, description="PEM file of authorities to trust beside the usual ones"
    )
    ca_only: bool = Field(default=False, description="Trust the authorities in ca_file alone, not the usual ones")
    proxy: Annotated[PasswordUrl, AfterValidator(rules.proxy_url)] | None = Field(
        default=None, description="Proxy for all requests: http[s]://[USER:PASSWORD@]HOST[:PORT]"
    )
    datetime_format: Literal["milliseconds", "seconds", "microseconds", "0.9"] = Field(
        default="milliseconds",
        description='How date-times are sent, in UTC: "milliseconds" (2024-02-22T11:39:56.501Z), '
        '"seconds", "microseconds", or "0.9": two digits, no zone letter (2024-02-22T11:39:56.50)',
    )
    openapi: Annotated[Path, Field(strict=False), AfterValidator(rules.existing_file)] | None = Field(
        default=None,
        description="OpenAPI file of the API, YAML or JSON: what it forbids is invalid, and never sent; "
        "`report-service contract FILE` compares it first",
    )
    paths: PathSettings = PathSettings()
    headers: dict[
        Annotated[str, AfterValidator(rules.header_name)],
        Annotated[SecretStr, AfterValidator(rules.header_value)],
    ] = Field(default={}, description="Header sent with every request; names are sent in lower case")

    @property
    def endpoint(self) -> str:
        """Return the ledger's name for where reports go: `mock`, or scheme and host."""
        return "mock" if self.mode == "mock" else self.base_url

    @field_validator(*MOCK_API, mode="before")
    @classmethod
    def _needed_over_http(cls, value: object, info: ValidationInfo) -> object:
        if value is not None or info.field_name is None:
            return value
        if info.data.get("mode") == "http":
            raise ValueError('is needed when obelis.mode = "http"')
        return MOCK_API[info.field_name]

    @field_validator("window_guard_s")
    @classmethod
    def _what_leaves_last_arrives_in_the_window(cls, guard_s: float, info: ValidationInfo) -> float:
        least = info.data.get("timeout_s", 0) + ARRIVAL_MARGIN_S
        if guard_s < least:
            raise ValueError(
                f"must be at least {least:g} (obelis.timeout_s + {ARRIVAL_MARGIN_S}): a request that leaves last "
                "must arrive while the window is open"
            )
        return guard_s

    @field_validator("proxy")
    @classmethod
    def _proxy_sees_only_tls(cls, proxy: PasswordUrl | None, info: ValidationInfo) -> PasswordUrl | None:
        urls = (info.data.get("base_url", ""), info.data.get("token_url", ""))
        if proxy and any(url.lower().startswith("http:") for url in urls):
            raise ValueError("is for https:// URLs only: it would read the secrets sent to the http:// ones")
        return proxy


class StoreSettings(Section):
    """The database that holds inventory, source rows and ledger."""

    url: Annotated[PasswordUrl, AfterValidator(rules.store_url)] = Field(
        default="sqlite:///report-service.sqlite3",
        validate_default=True,
        description="sqlite:///FILE, or postgresql+psycopg://USER:PASSWORD@HOST/DATABASE for several replicas",
    )
    auto_upgrade: bool = Field(
        default=True, description="Bring old tables up to date at start; else `db upgrade` must be called"
    )


class DataSettings(Section):
    """How figures are read, wherever they come from."""

    timezone: Annotated[str, AfterValidator(rules.time_zone)] = Field(
        default="Europe/Berlin",
        description="IANA time zone of date-times that name none, and of whole days: "
        "valid_from begins the day, valid_to ends it (23:59:59)",
    )


class SourceSettings(Section):
    """A query of the operator's own on another database, in place of one source table."""

    url: Annotated[PasswordUrl, AfterValidator(rules.source_url)] = Field(
        description="SQLAlchemy URL of the database that is read"
    )
    query: Annotated[str, AfterValidator(rules.not_blank)] = Field(
        description="SELECT with the columns of the CSV file of that name; "
        "may use :month, :month_start, :next_month_start and :month_end"
    )
    timezone: Annotated[str, AfterValidator(rules.time_zone)] | None = Field(
        default=None,
        description="IANA time zone of this source's date-times that name none; default: data.timezone",
    )
    timeout_s: float = Field(
        default=300,
        gt=0,
        le=3600,
        description="Seconds that reading it may take: above 0, up to 3600; then the reports of its kind wait, "
        "and the others go out",
    )


class ScheduleSettings(Section):
    """When the daemon wakes up."""

    timezone: Annotated[str, AfterValidator(rules.time_zone)] = Field(
        default="Europe/Berlin", description="IANA time zone of day and hour"
    )
    day: int = Field(default=1, ge=1, le=28, description="Day of the month of the first delivery: 1 to 28")
    hour: int = Field(default=6, ge=0, le=23, description="Hour of that day: 0 to 23")
    jitter_minutes: int = Field(
        default=30, ge=0, le=720, description="The first delivery begins up to so many minutes later: 0 to 720"
    )
    sweep_minutes: int = Field(
        default=15, ge=1, le=1440, description="Minutes between looks at what is due again: 1 to 1440"
    )
    heartbeat_seconds: int = Field(
        default=300,
        ge=1,
        le=3600,
        description="Seconds between heartbeats in the log while nothing changes: 1 to 3600",
    )
    first_month: Annotated[str, AfterValidator(rules.year_and_month)] | None = Field(
        default=None,
        description='First month that is due, "YYYY-MM"; without it, every month that the inventory says',
    )


class RetrySettings(Section):
    """How long a failed report waits before it is sent again."""

    base_s: float = Field(
        default=2, gt=0, le=60, description="Seconds within which the first retry falls: above 0, up to 60"
    )
    cap_s: float = Field(
        default=900,
        ge=1,
        le=86400,
        description="Seconds that waiting between retries grows to: 1 to 86400, not below base_s",
    )

    @field_validator("cap_s")
    @classmethod
    def _not_below_base(cls, cap_s: float, info: ValidationInfo) -> float:
        if cap_s < info.data.get("base_s", 0):
            raise ValueError("must not be below retry.base_s")
        return cap_s


class RunSettings(Section):
    """How long a run waits."""

    patience_s: float = Field(
        default=600,
        ge=0,
        le=86400,
        description="Seconds that a run waits for what is due again, and `run` for the lease: 0 to 86400",
    )
    grace_s: float = Field(
        default=8,
        ge=0,
        le=600,
        description="Seconds that requests under way get after SIGTERM: 0 to 600; "
        "less than the container's own stop time-out, often 10",
    )


class LogSettings(Section):
    """What the log looks like."""

    format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description='"json": one object a line; "console": for people; '
        '"auto": json unless standard output is a terminal',
    )
    level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description='"debug", "info", "warning" or "error"; monitoring needs "info"',
    )


class HealthSettings(Section):
    """How `report-service health` knows of the daemon."""

    file: Annotated[Path, Field(strict=False)] | None = Field(
        default=None,
        description="File that the daemon writes at each heartbeat and `health` reads; without it one in /tmp, "
        "/dev/shm or the working directory, named after the configuration file. "
        "Daemons that share one need one each",
    )


class ReportSettings(Section):
    """What the daemon shows people."""

    html: Annotated[Path, Field(strict=False)] | None = Field(
        default=None,
        description="File that the daemon keeps current with the newest month's page, as `export --format html` "
        "writes it; one for each daemon",
    )


class PingSettings(Section):
    """A dead man's switch elsewhere, such as healthchecks.io: it tells a person when it hears nothing."""

    url: Annotated[SecretStr, AfterValidator(rules.secret_url)] | None = Field(
        default=None,
        description="Address that is pinged every 5 minutes while all is well; "
        "with /start at the start, /fail when all is not well",
    )
    month_url: Annotated[SecretStr, AfterValidator(rules.secret_url)] | None = Field(
        default=None,
        description="Address that is pinged when the month is complete; "
        "with /start when a month opens, /fail when one closed incomplete",
    )


class Settings(Section):
    """All settings, checked."""

    obelis: ObelisSettings
    store: StoreSettings = StoreSettings()
    data: DataSettings = DataSettings()
    sources: dict[SourceName, SourceSettings] = Field(default={})
    schedule: ScheduleSettings = ScheduleSettings()
    retry: RetrySettings = RetrySettings()
    run: RunSettings = RunSettings()
    log: LogSettings = LogSettings()
    health: HealthSettings = HealthSettings()
    report: ReportSettings = ReportSettings()
    ping: PingSettings = PingSettings()

    def describe(self) -> dict[str, object]:
        """Return every setting that has a value by its dotted key, secrets masked, fit for the log."""
        return dict(_described(self, ""))


def _described(section: Section | dict[str, object], prefix: str) -> Iterator[tuple[str, object]]:
    for name, value in section.items() if isinstance(section, dict) else section:
        if isinstance(value, Section | dict):
            yield from _described(value, f"{prefix}{name}.")
        elif isinstance(value, str | Path | Secret | SecretStr):
            yield prefix + name, rules.masked(str(value))
        elif value is not None:
            yield prefix + name, value
