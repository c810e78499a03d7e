"""`report-service demo`: what a stranger sees first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.processes import MONTH, plain

if TYPE_CHECKING:
    from tests.support.processes import Cli


def test_on_a_terminal_it_shows_a_bar_the_month_in_colour_and_what_is_outstanding(sqlite_cli: Cli) -> None:
    seen = sqlite_cli.on_terminal("demo", "--hubs", 3, "--folder", "kept").out

    shown = plain(seen)
    assert "\x1b[1m" in seen
    assert "\x1b[32m" in seen
    assert f"delivering {MONTH}" in shown
    assert "━" in shown
    after = shown.split("Reports for ")[-1]
    for words in ("hotline", "nondiscriminatory", "due ", "invalid (1)", "awaiting data (4)", "retrying (10)"):
        assert words in after
    assert "Not complete: 46 of 61 reports are in. 5 need a person. 10 are on the way." in after
    assert all(len(line) <= 80 for line in after.splitlines())
    assert (sqlite_cli.folder / "kept" / "demo.sqlite3").exists()


def test_without_a_terminal_it_is_plain_text_ends_with_0_and_needs_no_settings(sqlite_cli: Cli) -> None:
    (sqlite_cli.folder / "report-service.toml").write_text("none = of these\n")
    before = sorted(sqlite_cli.folder.iterdir())

    done = sqlite_cli.using(OBELIS__MODE="nonsense")("demo", "--hubs", 2)

    assert done.code == 0
    assert "\x1b" not in done.said
    assert "reports are in." in done.said
    assert sorted(sqlite_cli.folder.iterdir()) == before


def test_a_folder_that_cannot_be_made_is_refused(sqlite_cli: Cli) -> None:
    (sqlite_cli.folder / "file").touch()

    done = sqlite_cli("demo", "--folder", "file/demo")

    assert done.code == 2
    assert done.err.startswith("Error: --folder file/demo cannot be made: Not a directory\n  -> ")
