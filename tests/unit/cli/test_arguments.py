"""What is no text is refused before any command sees it, by the name of its option or by its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from report_service.cli.arguments import require_text
from report_service.cli.main import invoke
from report_service.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path

BAD = "caf\udce9"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["waive", "KEY", "--reason", BAD], "--reason"),
        (["waive", "KEY", f"--reason={BAD}"], "--reason"),
        (["waive", BAD, "--reason", "x"], "argument 2"),
        (["waive", "--by=me", BAD], "argument 3"),
        ([BAD], "argument 1"),
        (["--config", BAD, "status"], "--config"),
        (["run", f"--{BAD}=1"], "argument 2"),
    ],
)
def test_an_argument_that_is_no_text_is_named(arguments: list[str], named: str) -> None:
    with pytest.raises(BadInput, match=f"^{named} is not UTF-8 text: b'") as refused:
        require_text(arguments)
    assert "caf\\xe9" in refused.value.message
    assert refused.value.hint


def test_text_of_any_script_passes() -> None:
    require_text(["waive", "KEY", "--reason", "zu \N{SMILING FACE WITH SMILING EYES} 密码"])


def test_the_command_line_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(["waive", "KEY", "--by", BAD]) == 2
    assert capsys.readouterr().err.startswith("Error: --by is not UTF-8 text")


@pytest.mark.parametrize("what", [["waive", "--reason", "no calls"], ["handed-in", "--reference", "e-mail"]])
def test_a_user_without_a_name_has_to_be_named(
    what: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("LOGNAME", BAD)
    monkeypatch.setenv("REPORT_SERVICE_OBELIS__MODE", "mock")
    monkeypatch.setenv("REPORT_SERVICE_STORE__URL", f"sqlite:///{tmp_path / 'store.sqlite3'}")

    assert invoke([*what, "2026-10/hotline_rating"]) == 2
    assert "--by NAME" in capsys.readouterr().err
