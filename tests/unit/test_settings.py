"""Settings: what a mode needs, what a URL may be, and the defaults."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.settings import all_settings
from report_service.settings.elsewhere import unread_variables
from tests.support.settings_text import CANARY, HTTP, from_environment, load, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


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
    assert "obelis.mode is needed" in message
    assert f"set mode in [obelis] of {tmp_path}/settings.toml, or REPORT_SERVICE_OBELIS__MODE" in message


def test_http_mode_names_all_that_is_missing_at_once(tmp_path: Path) -> None:
    message = refusal('[obelis]\nmode = "http"\ntimeout_s = 99', tmp_path)
    for name in ("base_url", "token_url", "client_id", "client_secret", "cpo_id"):
        assert f'obelis.{name} is needed when obelis.mode = "http"' in message
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


def test_no_setting_turns_a_check_of_certificates_off() -> None:
    about_tls = {it.key for it in all_settings() if re.search("tls|ssl|cert|verif|secure|ca_", it.key)}

    assert about_tls == {
        "obelis.ca_file",
        "obelis.ca_only",
    }  # which take no authority away unless another is named


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
