"""Settings: where a value comes from, and which wins."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.errors import ConfigurationError
from report_service.settings import load_settings
from tests.support.settings_text import CANARY, HTTP, from_environment, load, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


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
