"""Secrets that are rotated while the process lives."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING

import pytest

from report_service.adapters.obelis.auth import ClientCredentials
from report_service.settings import Settings, load_settings
from report_service.settings.rotation import CurrentSecrets

if TYPE_CHECKING:
    from pathlib import Path

SETTINGS = """
[obelis]
mode = "http"
base_url = "https://api.example"
token_url = "https://login.example/token"
client_id = "id"
cpo_id = "DEABC"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a configuration, whose client secret is a file of its own."""
    (tmp_path / "settings.toml").write_text(SETTINGS)
    (tmp_path / "report_service_obelis__client_secret").write_text("the-first")
    return tmp_path


def reading(folder: Path) -> Settings:
    return load_settings(folder / "settings.toml", {}, secrets_dir=folder)


def test_a_secret_is_another_one_only_after_it_was_read_anew(folder: Path) -> None:
    learnt: list[str] = []
    secrets = CurrentSecrets(reading(folder), read=partial(reading, folder), learn=learnt.append)
    credentials = ClientCredentials(
        token_url="https://login.example/token",
        client_id="id",
        client_secret=secrets.client_secret,
        cpo_id="DEABC",
        reread=secrets.reread,
    )

    assert secrets.reread() is False
    (folder / "report_service_obelis__client_secret").write_text("the-second\n")
    before = json.loads(credentials.token_request("1").body)["client_secret"]
    assert credentials.reread() is True
    after = json.loads(credentials.token_request("2").body)["client_secret"]

    assert (before, after) == ("the-first", "the-second")
    assert learnt[-1] == "the-second"  # before anybody could log it


def test_the_store_s_password_is_rotated_with_it(folder: Path) -> None:
    learnt: list[str] = []
    file = folder / "report_service_store__url"
    file.write_text("postgresql://user:the-first@host/db")
    secrets = CurrentSecrets(reading(folder), read=partial(reading, folder), learn=learnt.append)
    file.write_text("postgresql://user:the-second@host/db")

    assert secrets.reread() is False  # the client secret is the same
    assert secrets.store_url() == "postgresql://user:the-second@host/db"
    assert "the-second" in learnt


def test_what_cannot_be_read_anew_leaves_the_secret_as_it_is_and_is_told(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    secrets = CurrentSecrets(reading(folder), read=partial(reading, folder))
    (folder / "report_service_obelis__client_secret").unlink()

    assert secrets.reread() is False
    assert secrets.client_secret() == "the-first"
    assert "the old ones stay" in caplog.text
    assert "obelis.client_secret is needed" in caplog.text
