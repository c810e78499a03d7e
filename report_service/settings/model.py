"""What can be set: one class a section, each setting with its range, default and description.

A description is one line for the operator. config/report-service.toml repeats it, and a test keeps the two
the same. Types are strict: a number in quotes is refused. What is secret has a type that does not print.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, Secret, SecretStr, field_validator

from report_service.domain.table_schemas import INVENTORY_SCHEMAS, REPORT_SCHEMAS
from report_service.settings import rules
from report_service.settings.obelis import ObelisSettings
from report_service.settings.rules import PasswordUrl
from report_service.settings.section import Section

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import ValidationInfo

if TYPE_CHECKING:
    SourceName = str
else:
    SourceName = Literal[tuple(schema.name for schema in (*INVENTORY_SCHEMAS, *REPORT_SCHEMAS.values()))]
"""The tables that an operator's own query may stand for: which there are, the kinds of report say."""


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
        le=900,  # no longer than a run that shows no sign of life keeps its lease (services.delivery.lease_keeper)
        description="Seconds that reading it may take: above 0, up to 900; then the reports of its kind wait, "
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
    rehearse_day: int = Field(
        default=25,
        ge=0,
        le=28,
        description="Day of the month from which the daemon rehearses that month at `hour`, daily while something "
        "would be missing: 1 to 28; 0: never",
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


class RetentionSettings(Section):
    """How long the proof of a month is kept."""

    attempts_years: int = Field(
        default=10,
        ge=1,
        le=100,
        description="Years that attempts and answers are kept, 1 to 100, counted back from the newest delivered "
        "month; what became of a report, and its body, stay",
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
    retention: RetentionSettings = RetentionSettings()

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
