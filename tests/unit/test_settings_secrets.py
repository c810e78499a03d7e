"""Settings: no secret is ever shown."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

import pytest

from report_service.errors import ConfigurationError
from report_service.settings import Settings
from tests.support.settings_text import CANARY, HTTP, from_environment, load, refusal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


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
