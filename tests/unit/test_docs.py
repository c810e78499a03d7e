"""What the documents say is so: links lead somewhere, named files are there, the states' picture is true."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from report_service.domain.delivery import OVER, State, Trigger, next_state
from report_service.errors import IllegalTransition

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    page
    for folder in (ROOT, ROOT / "docs", ROOT / "config", ROOT / "tests")
    for page in folder.glob("*.md" if folder == ROOT else "**/*.md")
)
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
THREATS = (ROOT / "docs" / "threat-model.md").read_text("utf-8")

_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]*)(#[^)\s]*)?\)")
_HEADING = re.compile(r"^#+ +(.+)$", re.MULTILINE)
_PATH = re.compile(r"`((?:report_service|tests|docs|config|migrations|benchmarks)/[\w./-]*\w/?)`")
_NAMED = re.compile(r"`(?:\w+\.)?(\w+)(?:\([^`]*\))?`(?: and `\w+`)? in `(report_service/[\w/]+\.py)`")


def anchor(heading: str) -> str:
    return "#" + re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_link_leads_somewhere(page: Path) -> None:
    dead = []
    for target, fragment in _LINK.findall(page.read_text("utf-8")):
        file = page.parent / target if target else page
        if not file.exists():
            dead.append(target)
        elif fragment and fragment not in map(anchor, _HEADING.findall(file.read_text("utf-8"))):
            dead.append(target + fragment)
    assert dead == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_every_file_that_is_named_is_there(page: Path) -> None:
    named = set(_PATH.findall(page.read_text("utf-8")))
    assert {path for path in named if not (ROOT / path).exists()} == set()


def test_what_the_architecture_says_to_be_in_a_file_is_there() -> None:
    named = _NAMED.findall(ARCHITECTURE)
    assert len(named) > 10
    assert [(name, path) for name, path in named if name not in (ROOT / path).read_text("utf-8")] == []


def test_each_law_has_its_file_and_its_test() -> None:
    laws = [line for line in ARCHITECTURE.splitlines() if re.match(r"\| \d\. ", line)]
    assert [law[2] for law in laws] == list("12345678")
    for law in laws:
        paths = _PATH.findall(law)
        assert any(path.startswith("report_service/") for path in paths), law
        assert any(path.startswith("tests/") for path in paths), law


def test_each_threat_has_what_stops_it_and_the_test_of_that() -> None:
    suite = "".join(file.read_text("utf-8") for file in (ROOT / "tests").rglob("test_*.py"))
    cells = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in THREATS.splitlines() if line[:1] == "|"
    ]
    rows = [row for row in cells if row[0] != "what could be tried" and set(row[0]) != {"-"}]
    assert len(rows) > 20
    for tried, stopped, tests in rows:
        named = re.findall(r"`(test_\w+)`", tests)
        assert tried, tests
        assert stopped, tests
        assert named, tried
        assert [name for name in named if suite.count(f"def {name}(") != 1] == []


def test_the_picture_of_the_states_is_true() -> None:
    """What closes a window by mistake (a clock that ran ahead) and is taken back is not drawn."""
    drawn = set(re.findall(r"^    (\w+) --> (\w+)$", ARCHITECTURE, re.MULTILINE))
    led = {
        (state.value, after.value)
        for state, trigger, in_doubt in product(State, Trigger, (False, True))
        if (state not in OVER or trigger is Trigger.HANDED_IN)
        and (after := after_of(state, trigger, in_doubt=in_doubt)) not in {None, state}
    }
    assert drawn == led


def after_of(state: State, trigger: Trigger, *, in_doubt: bool) -> State | None:
    try:
        return next_state(state, trigger, in_doubt=in_doubt)
    except IllegalTransition:
        return None
