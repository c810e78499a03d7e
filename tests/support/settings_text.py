"""Settings from text and variables alone: nothing of this machine is read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from report_service.errors import ConfigurationError
from report_service.settings import Settings, load_settings

if TYPE_CHECKING:
    from collections.abc import Mapping


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
