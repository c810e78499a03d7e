"""Settings: what is refused, and in which words."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from report_service.errors import ConfigurationError
from report_service.settings import Settings, load_settings
from tests.support.settings_text import CANARY, HTTP, from_environment, load, refusal

if TYPE_CHECKING:
    from pathlib import Path


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
        ("sources.hubs", "query = 'SELECT 1'", "sources.hubs.url is needed"),
        ("sources.hubs", "url = 'oracle://db'", "sources.hubs.query is needed"),
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
        ("schedule.rehearse_day", -1, 0, 28, 29),
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
