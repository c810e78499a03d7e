"""The proof's page in a real browser: it asks for nothing, complains of nothing, and fits a phone and A4."""

from __future__ import annotations

import json
import re
import subprocess
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from report_service.mock_api.operator import made_up_operator
from tests.support.monitoring import needed
from tests.support.processes import MONTH

if TYPE_CHECKING:
    from tests.acceptance.conftest import StartMock
    from tests.support.processes import Cli

pytestmark = pytest.mark.browser

PHONE_PX = 390
A4 = ("594", "841")
"""Wide and high, in points."""
OWN_HOSTS = (".google.com", ".googleapis.com")
"""What Chromium asks by itself, whatever page it shows; no name is looked up here, so nothing gets there."""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """What a browser made of a page."""

    document: str
    asked_for: set[str]  # URLs
    complaints: list[str]  # of its console


def browse(page: Path, *options: str) -> Shown:
    """Show a page in a browser that knows nothing yet."""
    folder = page.parent / f"browser-{page.stem}"
    done = subprocess.run(
        [
            *(
                needed("chromium"),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-quic",
                "--no-first-run",
            ),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *("--host-resolver-rules=MAP * ~NOTFOUND", f"--user-data-dir={folder}", "--enable-logging=stderr"),
            f"--log-net-log={folder}.json",
            *(options or ("--dump-dom",)),
            page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )
    events = json.loads(Path(f"{folder}.json").read_text())["events"]
    urls = {event["params"]["url"] for event in events if "url" in event.get("params", {})}
    return Shown(
        document=done.stdout,
        asked_for={url for url in urls if not str(urlsplit(url).hostname).endswith(OWN_HOSTS)},
        complaints=[line for line in done.stderr.splitlines() if "CONSOLE" in line],
    )


@pytest.fixture
def page(sqlite_cli: Cli, start_mock: StartMock) -> Path:
    """Return the page of a month with faults of several sorts."""
    mock = start_mock(
        "--fault", "400@ad_hoc_tariff#2", "--fault", "404@hub_rating#1", "--fault", "altered@point_rating#3"
    )
    cli = sqlite_cli.using(**mock.settings)
    cli.stock(made_up_operator(MONTH, hubs=10, points_per_hub=8, provider_groups=10))
    cli("run", "--patience", 0)
    file = cli.folder / "page.html"
    assert cli("export", "--format", "html", "--out", file).code == 0
    return file


def test_it_asks_for_nothing_and_the_console_is_empty(page: Path) -> None:
    shown = browse(page)

    assert "Every report" in shown.document
    assert (shown.asked_for, shown.complaints) == (set(), [])


def test_a_page_that_does_is_found_out(tmp_path: Path) -> None:
    bad = tmp_path / "bad.html"
    bad.write_text('<img src="http://127.0.0.1:9/pixel.png"><script>nowhere()</script>')

    shown = browse(bad)

    assert shown.asked_for == {"http://127.0.0.1:9/pixel.png"}
    assert len(shown.complaints) == 1


@pytest.mark.parametrize(("further", "fits"), [("", True), ('<p style="width:400px">wide</p>', False)])
def test_it_is_no_wider_than_a_phone(page: Path, further: str, *, fits: bool) -> None:
    html = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text())
    frame = f'<iframe width="{PHONE_PX}" height="800" srcdoc="{escape(html + further)}"></iframe>'
    measure = (
        "const page = frames[0].document.documentElement; document.title = page.scrollWidth - page.clientWidth"
    )
    phone = page.with_name("phone.html")
    phone.write_text(f"{frame}<script>onload = () => {{ {measure} }}</script>")

    shown = browse(phone)

    (beyond,) = re.findall(r"<title>(\d+)</title>", shown.document)
    assert (beyond == "0") is fits


def test_it_prints_on_a4(page: Path) -> None:
    pdf = page.with_suffix(".pdf")

    browse(page, "--no-pdf-header-footer", f"--print-to-pdf={pdf}")

    sheets = re.findall(rb"/MediaBox \[0 0 (\d+)[.\d]* (\d+)[.\d]*\]", pdf.read_bytes())
    assert {tuple(size.decode() for size in sheet) for sheet in sheets} == {A4}
    assert 3 <= len(sheets) <= 6  # some fifty reports a sheet
