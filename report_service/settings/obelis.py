"""What can be set of the API that is reported to: the section `obelis`, and the paths below it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import AfterValidator, Field, SecretStr, create_model, field_validator

from report_service.domain.kinds import KIND_BY_NAME, KINDS
from report_service.domain.routes import GUIDE_CORRECTION, GUIDE_PREFIX
from report_service.settings import rules
from report_service.settings.rules import PasswordUrl, path_template
from report_service.settings.section import Section

if TYPE_CHECKING:
    from pydantic import ValidationInfo

    from report_service.domain.kinds import Kind

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
    on_conflict: Literal["keep", "replace"] = Field(
        default="keep",
        description='What becomes of a report that OBELIS has from someone else (409): "keep": it stays; '
        '"replace": the run corrects it by PUT to what the source says',
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
