"""Settings: what is read from where, what is refused and how, and that no secret is ever shown."""

from __future__ import annotations

import re
import tomllib
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.errors import ConfigurationError
from report_service.settings import Settings, all_settings, load_settings
from report_service.settings.elsewhere import unread_variables

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

EXAMPLE = Path(__file__).parents[2] / "config" / "report-service.toml"
HTTP = """
[obelis]
mode = "http"
base_url = "https://api.example"
token_url = "https://login.example/token"
client_id = "id"
client_secret = "test-secret"
cpo_id = "DEABC"
"""
CANARY = "cAnArY-5ecret"


def load(toml: str, tmp_path: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Load settings from TOML text and nothing else of this machine."""
    file = tmp_path / "settings.toml"
    file.write_text(toml)
    return load_settings(file, environ or {}, secrets_dir=tmp_path / "secrets")


def refusal(toml: str, tmp_path: Path, environ: Mapping[str, str] | None = None) -> str:
    """Return the message that these settings are refused with."""
    with pytest.raises(ConfigurationError) as refused:
        load(toml, tmp_path, environ)
    return str(refused.value)


def from_environment(**values: str) -> Settings:
    """Load settings in mock mode from variables alone, named without their prefix."""
    environ = {"OBELIS__MODE": "mock", **values}
    return load_settings(
        None,
        {f"REPORT_SERVICE_{name}": value for name, value in environ.items()},
        secrets_dir=Path("/nonexistent"),
        default_files=(),
    )


# What others read from the environment


@pytest.mark.parametrize(
    ("environ", "setting", "said"),
    [
        ({}, "", ""),
        ({"HTTPS_PROXY": ""}, "", ""),
        ({"https_proxy": f"http://u:{CANARY}@proxy"}, "", "HTTPS_PROXY not read: obelis.proxy is"),
        ({"HTTPS_PROXY": "http://proxy"}, 'proxy = "http://proxy:3128"', ""),
        (
            {"SSL_CERT_FILE": "/ca.pem", "ALL_PROXY": "socks5://proxy"},
            "",
            "ALL_PROXY not read: obelis.proxy is; SSL_CERT_FILE not read: obelis.ca_file is",
        ),
        ({"SSL_CERT_DIR": "/certs"}, "ca_file = '{file}'", ""),
    ],
)
def test_variables_that_are_read_elsewhere_are_named_by_name_alone(
    environ: Mapping[str, str], setting: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text("")
    settings = load(HTTP + setting.format(file=tmp_path / "ca.pem"), tmp_path)

    assert unread_variables(settings.obelis, environ) == said


# Modes and the ledger's endpoint


def test_mock_mode_needs_nothing_else(tmp_path: Path) -> None:
    settings = load('[obelis]\nmode = "mock"', tmp_path)
    assert settings.obelis.endpoint == "mock"
    assert settings.obelis.cpo_id == "MOCK"
    assert settings.obelis.client_secret.get_secret_value() == "mock-secret"
    assert settings.obelis.base_url.startswith("https://")
    assert settings.obelis.token_url.startswith(settings.obelis.base_url)


def test_mode_has_no_default_and_the_refusal_says_how_to_give_it(tmp_path: Path) -> None:
    message = refusal("", tmp_path)
    assert "obelis.mode: is needed" in message
    assert f"set mode in [obelis] of {tmp_path}/settings.toml, or REPORT_SERVICE_OBELIS__MODE" in message


def test_http_mode_names_all_that_is_missing_at_once(tmp_path: Path) -> None:
    message = refusal('[obelis]\nmode = "http"\ntimeout_s = 99', tmp_path)
    for name in ("base_url", "token_url", "client_id", "client_secret", "cpo_id"):
        assert f'obelis.{name}: is needed when obelis.mode = "http"' in message
        assert f"REPORT_SERVICE_OBELIS__{name.upper()}" in message
    assert "obelis.timeout_s = 99: must be below 30" in message
    assert f"the file {tmp_path}/secrets/report_service_obelis__client_secret" in message
    assert "REPORT_SERVICE_OBELIS__CLIENT_SECRET_FILE" in message
    assert len(message.splitlines()) == 7


def test_mock_mode_is_the_mock_even_beside_a_real_url(tmp_path: Path) -> None:
    assert load(HTTP.replace('"http"', '"mock"'), tmp_path).obelis.endpoint == "mock"


@pytest.mark.parametrize(
    ("base_url", "endpoint"),
    [
        ("https://api.example", "https://api.example"),
        ("HTTPS://API.Example/", "https://api.example"),
        ("https://api.example:443", "https://api.example"),
        ("https://api.example:0443", "https://api.example"),
        ("https://api.example:8443", "https://api.example:8443"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("http://localhost:8080/", "http://localhost:8080"),
        ("http://[::1]:9", "http://[::1]:9"),
        ("http://127.8.9.10", "http://127.8.9.10"),
        ("https://10.0.0.1:65535", "https://10.0.0.1:65535"),
    ],
)
def test_one_place_has_one_endpoint_however_it_is_spelt(base_url: str, endpoint: str, tmp_path: Path) -> None:
    obelis = load(HTTP.replace("https://api.example", base_url), tmp_path).obelis
    assert (obelis.endpoint, obelis.base_url) == (endpoint, endpoint)


@pytest.mark.parametrize(
    ("base_url", "rule"),
    [
        ("http://api.example", "must begin with https://"),
        ("http://128.0.0.1", "must begin with https://"),
        ("http://[::2]", "must begin with https://"),
        ("http://localhost.example", "must begin with https://"),
        ("http://127.1", "must begin with https://"),
        ("https://api.example/v1", "a path belongs into obelis.paths.prefix"),
        ("https://api.example?x=1", "must be https://HOST"),
        ("https://user:pw@api.example", "must be https://HOST"),
        ("https://localhost\\\\@api.example", "must be https://HOST"),
        ("https://api.example:0", "must be https://HOST"),
        ("https://api.example:65536", "must be https://HOST"),
        ("https://api.example #", "must be https://HOST"),
        ("ftp://api.example", "must be https://HOST"),
        ("api.example", "must be https://HOST"),
        ("", "must be https://HOST"),
    ],
)
def test_a_base_url_is_https_scheme_and_host_or_refused(base_url: str, rule: str, tmp_path: Path) -> None:
    message = refusal(HTTP.replace("https://api.example", base_url), tmp_path)
    assert "obelis.base_url = " in message
    assert rule in message


def test_a_token_url_keeps_its_path_and_is_https_too(tmp_path: Path) -> None:
    with_path = "https://login.example:8443/oauth2/token?stage=qa"
    assert load(HTTP.replace("https://login.example/token", with_path), tmp_path).obelis.token_url == with_path
    message = refusal(HTTP.replace("https://login", "http://login"), tmp_path)
    assert 'obelis.token_url = "http://login.example/token": must begin with https://' in message


@pytest.mark.parametrize(
    "proxy", ["http://proxy.example:3128", "https://user:pw@proxy.example", "http://[::1]:1/"]
)
def test_a_proxy_may_be_plain_http_since_tls_passes_through_it(proxy: str, tmp_path: Path) -> None:
    obelis = load(HTTP + f'proxy = "{proxy}"', tmp_path).obelis
    assert obelis.proxy is not None
    assert obelis.proxy.get_secret_value() == proxy


@pytest.mark.parametrize(
    "proxy", ["proxy.example:3128", "socks5://proxy.example", "http://proxy.example/path", ""]
)
def test_what_is_no_http_proxy_is_refused(proxy: str, tmp_path: Path) -> None:
    assert "obelis.proxy = (not shown): must be http[s]://" in refusal(HTTP + f'proxy = "{proxy}"', tmp_path)


@pytest.mark.parametrize("plain", ["https://api.example", "https://login.example/token"])
def test_a_proxy_never_sees_what_goes_to_a_plain_http_url(plain: str, tmp_path: Path) -> None:
    toml = HTTP.replace(plain, "HTTP://localhost:8080") + 'proxy = "http://proxy.example"'
    assert "obelis.proxy = (not shown): is for https:// URLs only" in refusal(toml, tmp_path)


# Where a value comes from


def test_environment_wins_over_files_over_the_secrets_folder_over_toml(tmp_path: Path) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    named = tmp_path / "named"
    variable = "REPORT_SERVICE_OBELIS__CLIENT_SECRET"

    def secret(environ: Mapping[str, str]) -> str:
        return load(HTTP, tmp_path, environ).obelis.client_secret.get_secret_value()

    assert secret({}) == "test-secret"
    (secrets / "report_service_obelis__client_secret").write_text("from folder\n")
    assert secret({}) == "from folder"
    named.write_text("from file\r\n")
    assert secret({f"{variable}_FILE": str(named)}) == "from file"
    assert secret({f"{variable}_FILE": str(named), variable: "from environment"}) == "from environment"


def test_the_environment_alone_is_enough() -> None:
    settings = from_environment(
        OBELIS__MODE="http",
        OBELIS__BASE_URL="https://api.example",
        OBELIS__TOKEN_URL="https://login.example/token",
        OBELIS__CLIENT_ID="id",
        OBELIS__CLIENT_SECRET="test-secret",
        OBELIS__CPO_ID="007",
        OBELIS__TIMEOUT_S="12.5",
        OBELIS__MAX_IN_FLIGHT="4",
        OBELIS__PATHS__HUB_RATING="/locations/{hub_id}/ratings",
        OBELIS__HEADERS__OCPI_FROM_PARTY_ID="ABC",
        STORE__AUTO_UPGRADE="false",
        SOURCES__POINT_RATINGS__URL="mysql+pymysql://reader:pw@db/quality",
        SOURCES__POINT_RATINGS__QUERY="SELECT 1",
    )
    assert settings.obelis.endpoint == "https://api.example"
    assert settings.obelis.cpo_id == "007"
    assert (settings.obelis.timeout_s, settings.obelis.max_in_flight) == (12.5, 4)
    assert settings.obelis.paths.of(HUB_RATING) == "/locations/{hub_id}/ratings"
    assert settings.obelis.headers["ocpi-from-party-id"].get_secret_value() == "ABC"
    assert settings.store.auto_upgrade is False
    assert list(settings.sources) == ["point-ratings"]
    assert settings.sources["point-ratings"].query == "SELECT 1"


def test_the_process_environment_is_read_unless_another_is_given(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REPORT_SERVICE_OBELIS__MODE", "mock")
    monkeypatch.setenv("REPORT_SERVICE_SCHEDULE__HOUR", "9")
    assert load_settings(default_files=(), secrets_dir=tmp_path).schedule.hour == 9


def test_any_setting_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "hour").write_text("9\n")
    (tmp_path / "key").write_text("abc\n")
    (tmp_path / "ca.pem").touch()
    (tmp_path / "path of ca").write_text(f"{tmp_path}/ca.pem\n")
    settings = from_environment(
        SCHEDULE__HOUR_FILE=str(tmp_path / "hour"),
        OBELIS__HEADERS__X_API_KEY_FILE=str(tmp_path / "key"),
        OBELIS__CA_FILE_FILE=str(tmp_path / "path of ca"),
    )
    assert settings.schedule.hour == 9
    assert settings.obelis.headers["x-api-key"].get_secret_value() == "abc"
    assert settings.obelis.ca_file == tmp_path / "ca.pem"
    assert from_environment(OBELIS__CA_FILE=str(tmp_path / "ca.pem")).obelis.ca_file == tmp_path / "ca.pem"


def test_a_named_file_that_cannot_be_read_is_refused_without_showing_its_name(tmp_path: Path) -> None:
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff")
    message = refusal(
        HTTP,
        tmp_path,
        {
            "REPORT_SERVICE_OBELIS__CLIENT_SECRET_FILE": CANARY,  # the secret itself, by mistake
            "REPORT_SERVICE_OBELIS__CPO_ID_FILE": str(binary),
            "REPORT_SERVICE_LOG__LEVEL_FILE": str(tmp_path),
        },
    )
    assert (
        "REPORT_SERVICE_OBELIS__CLIENT_SECRET_FILE: obelis.client_secret: must be a file that can be read"
        in message
    )
    assert (
        "REPORT_SERVICE_OBELIS__CPO_ID_FILE: obelis.cpo_id: must be a file that can be read: it is not" in message
    )
    assert "REPORT_SERVICE_LOG__LEVEL_FILE: log.level: must be a file that can be read: Is a directory" in message
    assert CANARY not in message


def test_a_secret_that_cannot_be_read_is_not_taken_for_absent(tmp_path: Path) -> None:
    (tmp_path / "secrets" / "report_service_obelis__client_secret").mkdir(parents=True)
    message = refusal(HTTP, tmp_path)
    assert "secrets/report_service_obelis__client_secret: obelis.client_secret: must be a file" in message


def test_other_services_secrets_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "database_password").write_text("x")
    assert load(HTTP, tmp_path).obelis.client_secret.get_secret_value() == "test-secret"


def test_the_first_default_file_that_is_there_is_read(tmp_path: Path) -> None:
    here, system = tmp_path / "here.toml", tmp_path / "etc" / "system.toml"

    def hour(environ: Mapping[str, str]) -> int:
        environ = {"REPORT_SERVICE_OBELIS__MODE": "mock", **environ}
        settings = load_settings(None, environ, secrets_dir=tmp_path, default_files=(here, system))
        return settings.schedule.hour

    assert hour({}) == 6
    system.parent.mkdir()
    system.write_text("[schedule]\nhour = 1")
    assert hour({}) == 1
    here.write_text("[schedule]\nhour = 2")
    assert hour({}) == 2
    named = tmp_path / "named.toml"
    named.write_text("\ufeff[schedule]\r\nhour = 3", "utf-8")
    assert hour({"REPORT_SERVICE_CONFIG": str(named)}) == 3


def test_an_explicit_file_wins_over_the_one_the_environment_names(tmp_path: Path) -> None:
    assert load(HTTP, tmp_path, {"REPORT_SERVICE_CONFIG": "/nonexistent"}).obelis.cpo_id == "DEABC"


@pytest.mark.parametrize("by_variable", [False, True])
def test_a_named_configuration_that_is_not_there_is_the_only_complaint(by_variable: bool, tmp_path: Path) -> None:
    absent = tmp_path / "absent.toml"
    environ = {"REPORT_SERVICE_CONFIG": str(absent)} if by_variable else {}
    with pytest.raises(ConfigurationError) as refused:
        load_settings(None if by_variable else absent, environ, secrets_dir=tmp_path)
    assert f"{absent}: cannot be read as TOML: No such file or directory" in str(refused.value)
    assert "is needed" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"[obelis]\nmode = mock", "at line 2"),
        (b"a = 1\na = 2", "Cannot overwrite a value"),
        (b'a = "\xff"', "codec can't decode"),
    ],
)
def test_a_file_that_is_no_toml_is_refused_beside_what_else_is_wrong(
    content: bytes, reason: str, tmp_path: Path
) -> None:
    file = tmp_path / "broken.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as refused:
        load_settings(None, {"REPORT_SERVICE_FOO__BAR": "1"}, secrets_dir=tmp_path, default_files=(file,))
    message = str(refused.value)
    assert f"{file}: cannot be read as TOML: " in message
    assert reason in message
    assert "REPORT_SERVICE_FOO__BAR: no such setting" in message
    assert "is needed" not in message


def test_a_default_file_that_cannot_be_read_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read as TOML: Is a directory"):
        load_settings(
            None, {"REPORT_SERVICE_OBELIS__MODE": "mock"}, secrets_dir=tmp_path, default_files=(tmp_path,)
        )


# What is not known


@pytest.mark.parametrize(
    ("toml", "complaint"),
    [
        ("[obelis]\ntimout_s = 5", "obelis.timout_s: no such setting; the nearest is obelis.timeout_s"),
        ("[obelsi]\nmode = 'mock'", "obelsi: no such setting; the nearest is obelis"),
        ("[store]\nauto-upgrade = true", "store.auto-upgrade: no such setting; the nearest is store.auto_upgrade"),
        ("[sources.point_ratings]\nurl = 'x'", "sources.point_ratings: no such setting; the nearest is sources.p"),
        ("[sources.waivers]\nurl = 'x'", "sources.waivers: no such setting"),
        ("[obelis.paths]\nhub_ratings = '/x'", "the nearest is obelis.paths.hub_rating"),
        ("client_secret = 'x'", "client_secret: no such setting; the nearest is obelis.client_secret"),
        ("[qqq]", "settings.toml: qqq: no such setting\n"),
        ("schedule = 6", "schedule: must be a table, written [schedule]"),
        ("[[obelis]]\nmode = 'mock'", "obelis: must be a table, written [obelis]"),
    ],
)  # fmt: skip
def test_an_unknown_key_is_refused_and_names_the_nearest(toml: str, complaint: str, tmp_path: Path) -> None:
    message = refusal(toml, tmp_path)
    assert f"{tmp_path}/settings.toml: " in message
    assert complaint in message + "\n"


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("REPORT_SERVICE_OBELSI__TIMEOUT_S", "REPORT_SERVICE_OBELIS__TIMEOUT_S"),
        ("REPORT_SERVICE_OBELIS__CLIENT_SECRT_FILE", "REPORT_SERVICE_OBELIS__CLIENT_SECRET"),
        ("report_service_obelis__cpo_id", "REPORT_SERVICE_OBELIS__CPO_ID"),
        ("REPORT_SERVICE_SOURCES__POINT_RATING__URL", "REPORT_SERVICE_SOURCES__POINT_RATINGS__URL"),
        ("REPORT_SERVICE_OBELIS__PROXY_PORT", "REPORT_SERVICE_OBELIS__PROXY"),
    ],
)
def test_an_unknown_variable_is_refused_and_names_the_nearest(variable: str, nearest: str, tmp_path: Path) -> None:
    message = refusal(HTTP, tmp_path, {variable: CANARY})
    assert f"{variable}: no such setting; the nearest is {nearest}" in message
    assert CANARY not in message


@pytest.mark.parametrize(
    ("variable", "nearest"),
    [
        ("REPORT_SERVICE_OBELIS_CLIENT_ID", "; the nearest is REPORT_SERVICE_OBELIS__CLIENT_ID"),
        ("REPORT_SERVICE_X", ""),
    ],
)
def test_an_unknown_variable_without_a_section_is_a_warning_that_names_it(
    variable: str, nearest: str, tmp_path: Path
) -> None:
    (tmp_path / "settings.toml").write_text(HTTP)
    warnings: list[str] = []

    found = load_settings(
        tmp_path / "settings.toml", {variable: CANARY}, secrets_dir=tmp_path, warn=warnings.append
    )

    assert found == load(HTTP, tmp_path)
    assert warnings == [f"{variable}: no such setting, so it is passed over{nearest}"]


def test_an_empty_variable_counts_as_unset(tmp_path: Path) -> None:
    empty = dict.fromkeys(
        (
            "REPORT_SERVICE_CONFIG",
            "REPORT_SERVICE_OBELIS__CLIENT_ID",
            "REPORT_SERVICE_OBELIS__TIMEOUT_S",
            "REPORT_SERVICE_OBELIS__CLIENT_SECRET_FILE",
            "REPORT_SERVICE_OBELSI__TIMEOUT_S",
            "REPORT_SERVICE_X",
        ),
        "",
    )
    assert load(HTTP, tmp_path, empty) == load(HTTP, tmp_path)


def test_truth_values_and_choices_are_understood_in_any_case() -> None:
    settings = from_environment(OBELIS__MODE="Mock", LOG__LEVEL="WARNING", STORE__AUTO_UPGRADE="False")
    assert (settings.obelis.mode, settings.log.level, settings.store.auto_upgrade) == ("mock", "warning", False)
    assert from_environment(STORE__AUTO_UPGRADE="TRUE").store.auto_upgrade is True


def test_variables_that_are_no_settings_are_passed_over(tmp_path: Path) -> None:
    others = {
        "PATH": "/bin",
        "REPORT_SERVICES": "x",
        "REPORT_SERVICE_TEST_POSTGRES_URL": "postgresql://localhost/test",
        "REPORT_SERVICE_CONTAINER_TOOL": "/opt/container-tool",
        # what Kubernetes adds beside services called report-service and report-service-mock
        "REPORT_SERVICE_SERVICE_HOST": "10.0.0.1",
        "REPORT_SERVICE_PORT": "tcp://10.0.0.1:80",
        "REPORT_SERVICE_PORT_80_TCP_ADDR": "10.0.0.1",
        "REPORT_SERVICE_MOCK_SERVICE_PORT_HTTP": "80",
        "REPORT_SERVICE_MOCK_PORT_80_TCP": "tcp://10.0.0.1:80",
    }
    assert load(HTTP, tmp_path, others) == load(HTTP, tmp_path)


def test_all_problems_are_told_at_once_each_with_its_place(tmp_path: Path) -> None:
    message = refusal(
        HTTP + "requests_per_minute = 0\n[run]\npatience = 5",
        tmp_path,
        {"REPORT_SERVICE_LOG__LEVEL": "loud", "REPORT_SERVICE_Q__XYZ": "1"},
    )
    file = tmp_path / "settings.toml"
    limits = "The API's limit, token requests included; above 2000 only on the authority's word"
    choice = "'debug', 'info', 'warning' or 'error'"
    level = '"debug", "info", "warning" or "error"; monitoring needs "info"'
    assert message.splitlines()[1:] == [
        f"  - {file}: run.patience: no such setting; the nearest is run.patience_s",
        "  - REPORT_SERVICE_Q__XYZ: no such setting",
        f"  - {file}: obelis.requests_per_minute = 0: must be at least 1 ({limits})",
        f"""  - REPORT_SERVICE_LOG__LEVEL: log.level = "loud": must be {choice} ({level})""",
    ]


# Types and ranges


@pytest.mark.parametrize(
    ("section", "line", "complaint"),
    [
        ("obelis", 'requests_per_minute = "2000"', 'obelis.requests_per_minute = "2000": must be a whole number'),
        ("obelis", "requests_per_minute = true", "obelis.requests_per_minute = true: must be a whole number"),
        ("obelis", "requests_per_minute = 1.5", "obelis.requests_per_minute = 1.5: must be a whole number"),
        ("obelis", 'timeout_s = "25"', 'obelis.timeout_s = "25": must be a number'),
        ("obelis", "timeout_s = nan", "obelis.timeout_s = NaN: must be a number"),
        ("obelis", "timeout_s = [1]", "obelis.timeout_s = (not shown): must be a number"),
        ("obelis", "client_id = 5", "obelis.client_id = 5: must be text in quotes"),
        ("obelis", 'client_id = ""', 'obelis.client_id = "": must not be empty'),
        ("obelis", 'client_id = "a\\u0000"', "must be printable text"),
        ("obelis", 'cpo_id = "DE\\tABC"', "must be printable text"),
        ("obelis", 'client_secret = ""', "obelis.client_secret = (not shown): must be printable text, not empty"),
        ("obelis", 'client_secret = "x "', "obelis.client_secret = (not shown): must be printable text"),
        ("obelis", 'client_secret = "a\\nb"', "obelis.client_secret = (not shown): must be printable text"),
        ("obelis", "client_secret = {a = 1}", "obelis.client_secret = (not shown): must be text in quotes"),
        ("obelis", 'mode = "https"', "obelis.mode = \"https\": must be 'mock' or 'http'"),
        ("obelis", 'datetime_format = "iso"', "must be 'milliseconds', 'seconds', 'microseconds' or '0.9'"),
        ("obelis", "ca_file = 1", "obelis.ca_file = 1: must be text in quotes"),
        ("obelis", 'ca_file = "/nonexistent"', 'obelis.ca_file = "/nonexistent": must be a file that can be read'),
        ("obelis", 'ca_file = "/"', 'obelis.ca_file = "/": must be a file that can be read: Is a directory'),
        ("store", 'auto_upgrade = "yes"', 'store.auto_upgrade = "yes": must be true or false'),
        ("store", "auto_upgrade = 1", "store.auto_upgrade = 1: must be true or false"),
        ("store", 'url = "mysql://localhost/x"', "store.url = (not shown): must be sqlite:///FILE or postgresql"),
        ("store", 'url = "sqlite://"', "store.url = (not shown): must be sqlite:///FILE"),
        ("store", 'url = "sqlite:///:memory:"', "store.url = (not shown): must be sqlite:///FILE"),
        ("sources.hubs", "query = 'SELECT 1'", "sources.hubs.url: is needed"),
        ("sources.hubs", "url = 'oracle://db'", "sources.hubs.query: is needed"),
        ("sources.hubs", "query = ' '", 'sources.hubs.query = " ": must not be empty'),
        ("sources.hubs", "url = 'db.example'", "sources.hubs.url = (not shown): must be an SQLAlchemy URL"),
        ("schedule", 'timezone = "Europe/Berln"', "must be an IANA time zone; the nearest is Europe/Berlin"),
        ("schedule", 'timezone = "Europe"', 'schedule.timezone = "Europe": must be an IANA time zone'),
        ("schedule", 'timezone = "../x"', 'schedule.timezone = "../x": must be an IANA time zone'),
        ("schedule", 'first_month = "2026-13"', 'schedule.first_month = "2026-13": must be a month written'),
        ("schedule", 'first_month = "10-2026"', 'schedule.first_month = "10-2026": must be a month written'),
        ("schedule", "first_month = 2026-10-01", 'schedule.first_month = "2026-10-01": must be text in quotes'),
        ("retry", "base_s = 10\ncap_s = 9", "retry.cap_s = 9: must not be below retry.base_s"),
        ("log", 'format = "xml"', "log.format = \"xml\": must be 'auto', 'json' or 'console'"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_refused_with_its_key_and_the_rule(
    section: str, line: str, complaint: str, tmp_path: Path
) -> None:
    mode = "" if line.startswith("mode") else 'mode = "mock"\n'
    message = refusal(f"[obelis]\n{mode}" + ("" if section == "obelis" else f"[{section}]\n") + line, tmp_path)
    assert complaint in message
    assert f"settings.toml: {section}" in message or "is needed" in message


@pytest.mark.parametrize(
    ("variable", "value", "complaint"),
    [
        ("SCHEDULE__HOUR", "six", 'schedule.hour = "six": must be a whole number'),
        ("SCHEDULE__HOUR", "6.5", "schedule.hour = 6.5: must be a whole number"),
        ("SCHEDULE__HOUR", " ", 'schedule.hour = " ": must be a whole number'),
        ("STORE__AUTO_UPGRADE", "yes", 'store.auto_upgrade = "yes": must be true or false'),
        ("OBELIS__TIMEOUT_S", "Infinity", "obelis.timeout_s = Infinity: must be a number"),
        ("OBELIS__CPO_ID", "\udcff", "must be UTF-8"),
        ("STORE__URL", "postgresql://u:\udcff@h/db", "store.url = (not shown): must be UTF-8"),
        ("SOURCES__HUBS__QUERY", "SELECT '\udcff'", "must be UTF-8"),
        ("HEALTH__FILE", "/tmp/\udcff", "must be UTF-8"),
    ],
)
def test_a_wrong_variable_is_refused_by_its_name(variable: str, value: str, complaint: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        from_environment(**{variable: value})
    assert f"REPORT_SERVICE_{variable}: " in str(refused.value)
    assert complaint in str(refused.value)


@pytest.mark.parametrize(
    ("key", "refused_below", "lowest", "highest", "refused_above"),
    [
        ("obelis.requests_per_minute", 0, 1, 100_000, 100_001),
        ("obelis.max_in_flight", 0, 1, 64, 65),
        ("obelis.timeout_s", 0, 0.001, 29.999, 30),
        ("obelis.window_guard_s", 29.999, 30, 3600, 3601),
        ("schedule.day", 0, 1, 28, 29),
        ("schedule.hour", -1, 0, 23, 24),
        ("schedule.jitter_minutes", -1, 0, 720, 721),
        ("schedule.sweep_minutes", 0, 1, 1440, 1441),
        ("schedule.heartbeat_seconds", 0, 1, 3600, 3601),
        ("retry.base_s", 0, 0.001, 60, 60.1),
        ("retry.cap_s", 0.9, 2, 86400, 86401),
        ("run.patience_s", -0.1, 0, 86400, 86401),
        ("run.grace_s", -0.1, 0, 600, 601),
    ],
)
def test_a_number_out_of_its_range_is_refused_with_the_range(
    key: str, refused_below: float, lowest: float, highest: float, refused_above: float
) -> None:
    variable = key.replace(".", "__").upper()
    section, _, name = key.partition(".")
    for value in (lowest, highest):
        assert getattr(getattr(from_environment(**{variable: str(value)}), section), name) == value
    for value in (refused_below, refused_above):
        with pytest.raises(ConfigurationError) as refused:
            from_environment(**{variable: str(value)})
        assert re.search(rf"{key} = {value}: must be (above|below|at least|at most) \d", str(refused.value))


@pytest.mark.parametrize(("timeout_s", "guard_s"), [(25, 29.9), (10, 14.9), (29.9, 34)])
def test_a_guard_that_is_shorter_than_a_request_may_take_is_refused_with_the_least(
    timeout_s: float, guard_s: float
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        from_environment(OBELIS__TIMEOUT_S=str(timeout_s), OBELIS__WINDOW_GUARD_S=str(guard_s))

    least = (
        f"obelis.window_guard_s = {guard_s}: must be at least {timeout_s + 5:g} (obelis.timeout_s + 5): a request"
    )
    assert least in str(refused.value)


def test_a_guard_that_is_as_long_as_the_last_request_may_take_is_enough() -> None:
    obelis = from_environment(OBELIS__TIMEOUT_S="10", OBELIS__WINDOW_GUARD_S="15").obelis

    assert (obelis.timeout_s, obelis.window_guard_s) == (10, 15)


@pytest.mark.parametrize("secret", ["päßwört", "пароль", "密码-1", 'a b"c'])
def test_a_client_secret_may_be_any_printable_text(secret: str) -> None:
    assert from_environment(OBELIS__CLIENT_SECRET=secret).obelis.client_secret.get_secret_value() == secret


def test_the_defaults_are_those_of_the_design() -> None:
    settings = from_environment()
    obelis, schedule = settings.obelis, settings.schedule
    assert (obelis.requests_per_minute, obelis.max_in_flight, obelis.timeout_s) == (2000, 16, 25)
    assert (obelis.window_guard_s, obelis.datetime_format) == (60, "milliseconds")
    assert (obelis.ca_file, obelis.proxy, obelis.headers) == (None, None, {})
    assert settings.store.url.get_secret_value() == "sqlite:///report-service.sqlite3"
    assert settings.store.auto_upgrade is True
    assert (schedule.timezone, schedule.day, schedule.hour, schedule.jitter_minutes) == ("Europe/Berlin", 1, 6, 30)
    assert (schedule.sweep_minutes, schedule.heartbeat_seconds, schedule.first_month) == (15, 300, None)
    assert (settings.retry.base_s, settings.retry.cap_s) == (2, 900)
    assert (settings.run.patience_s, settings.run.grace_s) == (600, 8)
    assert (settings.log.format, settings.log.level) == ("auto", "info")
    assert settings.sources == {}


def test_settings_cannot_be_changed_afterwards() -> None:
    settings = from_environment(SCHEDULE__FIRST_MONTH="2026-01")
    assert settings.schedule.first_month == "2026-01"
    with pytest.raises(ValueError, match="frozen"):
        settings.schedule.hour = 7


# Paths and headers


def test_the_09_dialect_is_a_matter_of_settings(tmp_path: Path) -> None:
    paths = load(
        HTTP
        + """
        [obelis.paths]
        prefix = ""
        hub_rating = "/locations/{hub_id}/ratings"
        point_rating = "/evses/{point_id}/ratings"
        correction = "/{obelis_id}"
        """,
        tmp_path,
    ).obelis.paths
    assert paths.prefix == ""
    assert paths.of(HUB_RATING) == "/locations/{hub_id}/ratings"
    assert paths.of(AD_HOC_TARIFF) == "/charginghub/{hub_id}/ad-hoc-tariff"
    assert paths.of(POINT_RATING) == "/evses/{point_id}/ratings"
    assert paths.correction == "/{obelis_id}"


@pytest.mark.parametrize(
    ("name", "path", "rule"),
    [
        ("hub_rating", "/hub/ratings", "must hold {hub_id}"),
        ("ad_hoc_tariff", "/tariff", "must hold {hub_id}"),
        ("point_rating", "/hub/{hub_id}/ratings", "must hold {point_id}"),
        ("correction", "/correction", "must hold {month} or {obelis_id}"),
        ("hub_rating", "/{hub_id}/{point_id}", "has an unknown placeholder {point_id}; known here: {hub_id}"),
        ("hotline_rating", "/{month}", "has an unknown placeholder {month}; known here: none"),
        ("hub_rating", "/{hub_id.x}", "has an unknown placeholder {hub_id.x}"),
        ("hub_rating", "/{hub_id}/{hub_id}", "must hold each placeholder once"),
        ("hub_rating", "/{hub_id}/{", "must begin with /"),
        ("hub_rating", "{hub_id}", "must begin with /"),
        ("hub_rating", "/{hub_id}/", "must begin with /"),
        ("hotline_rating", "/a//b", "must begin with /"),
        ("hotline_rating", "/a?b", "must begin with /"),
        ("hotline_rating", "/a#b", "must begin with /"),
        ("hotline_rating", "/a b", "must begin with /"),
        ("hotline_rating", "", "must begin with /"),
        ("prefix", "ocpi", "must begin with /"),
        ("prefix", "/{hub_id}{", "must begin with /"),
        ("prefix", "/", "must begin with /"),
        ("prefix", "/a/../b", 'must not hold "." or ".."'),
        ("hub_rating", "/./{hub_id}", 'must not hold "." or ".."'),
        ("nondiscriminatory_access", "/hotline-ratings", "is the path of another kind"),
        ("point_rating", "/charginghub/{hub_id}/ratings", "must hold {point_id}"),
        ("ad_hoc_tariff", "/charginghub/{hub_id}/ratings", "is the path of another kind"),
    ],
)
def test_a_path_that_cannot_be_right_is_refused(name: str, path: str, rule: str, tmp_path: Path) -> None:
    message = refusal(HTTP + f'[obelis.paths]\n{name} = "{path}"', tmp_path)
    assert f'obelis.paths.{name} = "{path}": {rule}' in message


def test_headers_are_one_whatever_their_case(tmp_path: Path) -> None:
    toml = HTTP + '[obelis.headers]\nOCPI-from-party-id = "ABC"\nX-Key = "a b"'
    headers = load(toml, tmp_path, {"REPORT_SERVICE_OBELIS__HEADERS__OCPI_FROM_PARTY_ID": "XYZ"}).obelis.headers
    assert {name: value.get_secret_value() for name, value in headers.items()} == {
        "ocpi-from-party-id": "XYZ",
        "x-key": "a b",
    }


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ('Authorization = "x"', "authorization = (not shown): is set by the service itself"),
        ('X-Request-ID = "x"', "x-request-id = (not shown): is set by the service itself"),
        ('"X Y" = "x"', "must be an HTTP header's name"),
        ('"" = "x"', "must be an HTTP header's name"),
        ('X-Y = ""', "must be printable ASCII"),
        ('X-Y = " x"', "must be printable ASCII"),
        ('X-Y = "a\\r\\nAuthorization: b"', "must be printable ASCII"),
        ('X-Y = "ä"', "must be printable ASCII"),
        ("X-Y = 1", "x-y = (not shown): must be text in quotes"),
    ],
)
def test_a_header_that_would_break_a_request_is_refused(line: str, rule: str, tmp_path: Path) -> None:
    message = refusal(HTTP + "[obelis.headers]\n" + line, tmp_path)
    assert "settings.toml: obelis.headers." in message
    assert rule in message


def test_the_model_by_itself_knows_a_reserved_header_in_any_case() -> None:
    with pytest.raises(ValueError, match="is set by the service itself"):
        Settings.model_validate({"obelis": {"mode": "mock", "headers": {"Authorization": "x"}}})


# Secrets


SECRET_SETTINGS = (
    HTTP.replace("test-secret", CANARY)
    + f"""
    proxy = "http://user:{CANARY}@proxy.example:3128"
    [obelis.headers]
    X-Api-Key = "{CANARY}"
    [store]
    url = "postgresql+psycopg://user:{CANARY}@db.example/ledger?sslpassword={CANARY}"
    [sources.hubs]
    url = "postgresql://{CANARY}@db.example/hubs"
    query = "SELECT 1"
    """
)


def test_secrets_are_there_for_those_who_ask_and_shown_nowhere(tmp_path: Path) -> None:
    settings = load(SECRET_SETTINGS, tmp_path)
    assert CANARY in settings.obelis.client_secret.get_secret_value()
    assert CANARY in settings.store.url.get_secret_value()
    shown = settings.describe()
    assert CANARY not in f"{settings} {settings!r} {settings.obelis.headers} {settings.store.url} {shown}"
    assert shown["obelis.client_secret"] == "**********"
    assert shown["obelis.headers.x-api-key"] == "**********"
    assert shown["obelis.proxy"] == "http://***@proxy.example:3128"
    assert shown["store.url"] == "postgresql+psycopg://***@db.example/ledger?***"
    assert shown["sources.hubs.url"] == "postgresql://***@db.example/hubs"
    assert shown["sources.hubs.query"] == "SELECT 1"


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://db.example/ledger", "postgresql://db.example/ledger"),
        ("sqlite:////var/lib/ledger.sqlite3", "sqlite:////var/lib/ledger.sqlite3"),
        (f"postgresql://u:{CANARY}?x@h/d", "***"),
        (f"postgresql://u:{CANARY}#x@h/d", "***"),
        (f"postgresql://u:a/{CANARY}@h/d", "postgresql://***@h/d"),
        (f"postgresql://h/d?password=a@{CANARY}", "***"),
        (f"postgresql:///d?host=h&password={CANARY}", "postgresql:///d?***"),
    ],
)
def test_a_url_is_described_without_what_may_be_secret(url: str, shown: str) -> None:
    assert from_environment(STORE__URL=url).describe()["store.url"] == shown


def test_a_token_url_is_described_without_its_query() -> None:
    described = from_environment(OBELIS__TOKEN_URL=f"https://login.example/token?key={CANARY}").describe()
    assert described["obelis.token_url"] == "https://login.example/token?***"


def test_a_description_is_flat_plain_and_holds_what_is_set(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    described = from_environment(OBELIS__CA_FILE=str(tmp_path / "ca.pem")).describe()
    assert described["obelis.mode"] == "mock"
    assert described["obelis.timeout_s"] == 25
    assert described["obelis.ca_file"] == str(tmp_path / "ca.pem")
    assert described["obelis.paths.correction"] == "/{month}"
    assert "obelis.proxy" not in described
    assert {type(value) for value in described.values()} <= {str, int, float, bool}


@pytest.mark.parametrize(
    ("toml", "environ"),
    [
        (f'[obelis]\nmode = "http"\nclient_secret = ["{CANARY}"]', {}),
        (f'[obelis]\nmode = "http"\nclient_secrt = "{CANARY}"', {}),
        (f'[obelis]\nmode = "http"\nclient_secret = "{CANARY}"\ntimeout_s = 99', {}),
        (f'client_secret = "{CANARY}"', {}),
        (f'obelis = "{CANARY}"', {}),
        (f'sources = "{CANARY}"', {}),
        (f'[sources]\nhubs = "postgresql://u:{CANARY}@h/d"', {}),
        (f"[obelis]\nclient_secret = {CANARY}", {}),
        (f'[obelis]\nclient_id = {{secret = "{CANARY}"}}', {}),
        (HTTP.replace("https://api.example", f"https://u:{CANARY}@api.example"), {}),
        (HTTP.replace("https://api.example", f"u:{CANARY}@api.example"), {}),
        (HTTP.replace("https://api.example", f"https://api.example?key={CANARY}"), {}),
        (HTTP.replace("https://api.example", f"https://u:8{CANARY}/@api.example"), {}),
        (HTTP.replace("https://login.example", f"http://u:{CANARY}@login.example"), {}),
        (HTTP + f'proxy = "user:{CANARY}@proxy"', {}),
        (HTTP + f'[obelis.headers]\nAuthorization = "Bearer {CANARY}"', {}),
        (HTTP + f'[obelis.headers]\nX-Key = "{CANARY}\\n"', {}),
        (HTTP + f'[store]\nurl = "host=db password={CANARY}"', {}),
        (HTTP + f'[store]\nurl = "mysql://u:{CANARY}@h/d"', {}),
        (HTTP, {"REPORT_SERVICE_OBELIS__CLIENT_SECRET": f"{CANARY}\udcff"}),
        (HTTP, {"REPORT_SERVICE_OBELIS__SECRET": CANARY}),
        (HTTP, {"REPORT_SERVICE_STORE__URL": CANARY}),
    ],
)  # fmt: skip
def test_no_refusal_holds_a_secret_not_even_in_its_context(
    toml: str, environ: Mapping[str, str], tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        load(toml, tmp_path, environ)
    error = refused.value
    assert error.__cause__ is None
    assert error.__context__ is None
    said = [str(error), repr(error), str(error.hint), *traceback.format_exception_only(error)]
    assert not [text for text in said if CANARY in text]


def test_what_a_file_held_is_never_shown(tmp_path: Path) -> None:
    (tmp_path / "misnamed").write_text(CANARY)
    message = refusal(HTTP, tmp_path, {"REPORT_SERVICE_OBELIS__TIMEOUT_S_FILE": str(tmp_path / "misnamed")})
    assert "REPORT_SERVICE_OBELIS__TIMEOUT_S_FILE: obelis.timeout_s = (not shown): must be a number" in message
    assert CANARY not in message


def test_a_refused_model_does_not_print_its_input() -> None:
    with pytest.raises(ValueError, match="validation error") as refused:
        Settings.model_validate({"obelis": {"mode": "http", "client_secret": 5, "cpo_id": [CANARY]}})
    assert CANARY not in str(refused.value)


# The example file and the listing


def keys_of(table: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield every key of a TOML document with its value."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from keys_of(value, (*above, name))
        else:
            yield (*above, name), value


def example_with_everything_set() -> str:
    """Return the example with each setting's "#" taken away."""
    return re.sub(r"^# (\[[\w.-]+\]$|[\w-]+ = )", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)


def comments_of_the_example() -> dict[tuple[str, ...], str]:
    """Return the comment directly above each key, on one line."""
    comments: dict[tuple[str, ...], str] = {}
    section: tuple[str, ...] = ()
    block: list[str] = []
    for line in example_with_everything_set().splitlines():
        if line.startswith("#"):
            block.append(line.removeprefix("#").strip())
            continue
        if line.startswith("["):
            section = tuple(line.strip("[]").split("."))
        elif line:
            comments[(*section, line.partition(" = ")[0])] = " ".join(block)
        block = []
    return comments


def test_the_example_file_loads_as_it_is_and_changes_nothing(tmp_path: Path) -> None:
    assert load(EXAMPLE.read_text(), tmp_path) == from_environment()
    assert list(keys_of(tomllib.loads(EXAMPLE.read_text()))) == [(("obelis", "mode"), "mock")]


def test_the_example_file_loads_with_everything_set(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    toml = re.sub(r'(ca_file|openapi) = ".*"', rf'\1 = "{tmp_path}/ca.pem"', example_with_everything_set())
    settings = load(toml.replace('mode = "mock"', 'mode = "http"'), tmp_path)
    assert settings.obelis.endpoint.startswith("https://qa-api.")
    assert settings.obelis.headers
    assert settings.sources


def test_the_example_file_has_every_setting_with_its_default_and_description() -> None:
    shown = dict(keys_of(tomllib.loads(example_with_everything_set())))
    comments = comments_of_the_example()
    (source,) = {path[1] for path in shown if path[0] == "sources"}
    settings = [entry for entry in all_settings() if entry.path[0] != "sources" or entry.path[1] == source]
    headers = {path for path in shown if path[:2] == ("obelis", "headers")}

    assert headers
    assert {entry.path for entry in settings} - {("obelis", "headers", "<name>")} == set(shown) - headers
    for entry in settings:
        path = entry.path if entry.path in shown else ("obelis", "headers", "OCPI-from-party-id")
        assert comments[path] == entry.description
        if entry.default is not None:
            assert (type(shown[path]), shown[path]) == (type(entry.default), entry.default)


def test_the_example_file_names_every_source() -> None:
    (block,) = re.findall(r"^# Where a source table.*?^#$", EXAMPLE.read_text(), flags=re.MULTILINE | re.DOTALL)
    for name in {entry.path[1] for entry in all_settings() if entry.path[0] == "sources"}:
        assert re.search(rf"\b{name}\b", block)


def test_the_listing_has_each_setting_once_and_explains_it() -> None:
    settings = all_settings()
    by_key = {entry.key: entry for entry in settings}
    assert len(by_key) == len(settings) == len({entry.variable for entry in settings})
    assert all(entry.description for entry in settings)
    assert by_key["obelis.timeout_s"].default == 25
    assert by_key["obelis.timeout_s"].variable == "REPORT_SERVICE_OBELIS__TIMEOUT_S"
    assert by_key["sources.point-ratings.url"].variable == "REPORT_SERVICE_SOURCES__POINT_RATINGS__URL"
    assert by_key["obelis.mode"].default is None
    assert {entry.key for entry in settings if entry.secret and entry.path[0] != "sources"} == {
        "obelis.client_secret",
        "obelis.headers.<name>",
        "obelis.proxy",
        "ping.month_url",
        "ping.url",
        "store.url",
    }
