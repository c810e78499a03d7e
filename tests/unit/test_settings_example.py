"""Settings: the example file and the listing have each one."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from report_service.settings import all_settings
from tests.support.settings_text import from_environment, load

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


EXAMPLE = Path(__file__).parents[2] / "config" / "report-service.toml"


def keys_of(table: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], object]]:
    """Yield every key of a TOML document with its value."""
    for name, value in table.items():
        if isinstance(value, dict):
            yield from keys_of(value, (*above, name))
        else:
            yield (*above, name), value


def example_with_everything_set() -> str:
    """Return the example with each setting's "#" taken away."""
    return re.sub(r"^# (\[[\w.-]+\]$|[\w-]+ = )", r"\1", EXAMPLE.read_text(), flags=re.MULTILINE)


def comments_of_the_example() -> dict[tuple[str, ...], str]:
    """Return the comment directly above each key, on one line."""
    comments: dict[tuple[str, ...], str] = {}
    section: tuple[str, ...] = ()
    block: list[str] = []
    for line in example_with_everything_set().splitlines():
        if line.startswith("#"):
            block.append(line.removeprefix("#").strip())
            continue
        if line.startswith("["):
            section = tuple(line.strip("[]").split("."))
        elif line:
            comments[(*section, line.partition(" = ")[0])] = " ".join(block)
        block = []
    return comments


def test_the_example_file_loads_as_it_is_and_changes_nothing(tmp_path: Path) -> None:
    assert load(EXAMPLE.read_text(), tmp_path) == from_environment()
    assert list(keys_of(tomllib.loads(EXAMPLE.read_text()))) == [(("obelis", "mode"), "mock")]


def test_the_example_file_loads_with_everything_set(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    toml = re.sub(r'(ca_file|openapi) = ".*"', rf'\1 = "{tmp_path}/ca.pem"', example_with_everything_set())
    settings = load(toml.replace('mode = "mock"', 'mode = "http"'), tmp_path)
    assert settings.obelis.endpoint.startswith("https://qa-api.")
    assert settings.obelis.headers
    assert settings.sources


def test_the_example_file_has_every_setting_with_its_default_and_description() -> None:
    shown = dict(keys_of(tomllib.loads(example_with_everything_set())))
    comments = comments_of_the_example()
    (source,) = {path[1] for path in shown if path[0] == "sources"}
    settings = [entry for entry in all_settings() if entry.path[0] != "sources" or entry.path[1] == source]
    headers = {path for path in shown if path[:2] == ("obelis", "headers")}

    assert headers
    assert {entry.path for entry in settings} - {("obelis", "headers", "<name>")} == set(shown) - headers
    for entry in settings:
        path = entry.path if entry.path in shown else ("obelis", "headers", "OCPI-from-party-id")
        assert comments[path] == entry.description
        if entry.default is not None:
            assert (type(shown[path]), shown[path]) == (type(entry.default), entry.default)


def test_the_example_file_names_every_source() -> None:
    (block,) = re.findall(r"^# Where a source table.*?^#$", EXAMPLE.read_text(), flags=re.MULTILINE | re.DOTALL)
    for name in {entry.path[1] for entry in all_settings() if entry.path[0] == "sources"}:
        assert re.search(rf"\b{name}\b", block)


def test_the_listing_has_each_setting_once_and_explains_it() -> None:
    settings = all_settings()
    by_key = {entry.key: entry for entry in settings}
    assert len(by_key) == len(settings) == len({entry.variable for entry in settings})
    assert all(entry.description for entry in settings)
    assert by_key["obelis.timeout_s"].default == 25
    assert by_key["obelis.timeout_s"].variable == "REPORT_SERVICE_OBELIS__TIMEOUT_S"
    assert by_key["sources.point-ratings.url"].variable == "REPORT_SERVICE_SOURCES__POINT_RATINGS__URL"
    assert by_key["obelis.mode"].default is None
    assert {entry.key for entry in settings if entry.secret and entry.path[0] != "sources"} == {
        "obelis.client_secret",
        "obelis.headers.<name>",
        "obelis.proxy",
        "ping.month_url",
        "ping.url",
        "store.url",
    }
