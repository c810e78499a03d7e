"""The inventory read from the same files that `report-service import` takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from report_service.errors import BadInput
from report_service.mock_api.known_hubs import read_points

if TYPE_CHECKING:
    from pathlib import Path

HUBS = "hub_id,name\nHUB-1,Coswig\nhub-2,Riesa\n"
POINTS = "point_id,hub_id,evse_id\nPoint-1,hub-1,DE*ABC*E1\npoint-2,hub-1,\n"


def write(folder: Path, hubs: str, points: str) -> Path:
    (folder / "hubs.csv").write_bytes(hubs.encode())
    (folder / "points.csv").write_bytes(points.encode())
    return folder


@pytest.mark.parametrize("change", [str, lambda text: "\ufeff" + text.replace(",", ";").replace("\n", "\r\n")])
def test_ids_are_read_with_their_hubs(tmp_path: Path, change: type[str]) -> None:
    folder = write(tmp_path, change(HUBS), change(POINTS))
    assert read_points(folder) == {"hub-1": {"point-1", "point-2"}, "hub-2": frozenset()}


@pytest.mark.parametrize(
    ("hubs", "points", "name"),
    [("id\n", POINTS, "'hub_id'"), (HUBS, "hub_id\n", "'point_id'"), ("", POINTS, "'hub_id'")],
)
def test_a_missing_column_is_named(tmp_path: Path, hubs: str, points: str, name: str) -> None:
    with pytest.raises(BadInput, match=f"column {name} is missing"):
        read_points(write(tmp_path, hubs, points))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"hubs\.csv cannot be read"):
        read_points(tmp_path)


def test_a_file_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    write(tmp_path, HUBS, POINTS)
    (tmp_path / "points.csv").write_bytes(b"point_id,hub_id\n\xff,1\n")
    with pytest.raises(BadInput, match=r"points\.csv cannot be read"):
        read_points(tmp_path)
