from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.domain.field_errors import FieldError
from report_service.domain.table_schemas import TABLE_SCHEMAS
from report_service.errors import BadInput
from report_service.services.import_files import Imported, import_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from report_service.domain.table_schemas import TableSchema

HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"

Row = tuple[int, "Mapping[str, object] | tuple[FieldError, ...]"]


@dataclass
class FakeFile:
    """A file with these rows; from the second reading on with `later`, if given."""

    schema: TableSchema
    lines: list[Row]
    later: list[Row] | None = None
    name: str = "fake.csv"
    read: int = 0

    def rows(self, progress: Callable[[int], None]) -> Iterator[Row]:
        self.read += 1
        yield from self.lines if self.read == 1 or self.later is None else self.later
        progress(100)


@dataclass
class BrokenFile:
    schema: TableSchema
    name: str = "broken.csv"

    def rows(self, progress: Callable[[int], None]) -> Iterator[Row]:
        yield 2, rating(HUB)
        raise BadInput("broken.csv, line 3: is not UTF-8")


@dataclass
class FakeIntake:
    stored: list[tuple[str, list[dict[str, object]]]] = field(default_factory=list)

    def upsert(self, schema: TableSchema, rows: Iterable[Mapping[str, object]]) -> None:
        self.stored.append((schema.name, [dict(row) for row in rows]))


def rating(hub_id: object, **changed: object) -> dict[str, object]:
    return {"month": "2026-10", "hub_id": hub_id, "rating": "2"} | changed


def take_in(*files: FakeFile | BrokenFile) -> tuple[list[Imported], FakeIntake, list[int]]:
    intake, told = FakeIntake(), list[int]()
    return list(import_files(files, intake, progress=told.append)), intake, told


def test_a_good_file_is_stored_with_values_in_their_canonical_form() -> None:
    found, intake, told = take_in(
        FakeFile(
            TABLE_SCHEMAS["provider-groups"],
            [(2, {"provider_group": "devfl", "valid_from": "", "valid_to": None})],
        )
    )

    assert (found[0].rows, found[0].stored, found[0].faults, found[0].warnings) == (1, True, [], [])
    assert intake.stored == [
        ("provider-groups", [{"provider_group": "DEVFL", "valid_from": None, "valid_to": None}])
    ]
    assert told == [100, 100]


def test_a_file_with_faults_is_not_stored_and_every_fault_is_told() -> None:
    ragged = (FieldError("cells", 2, "must be 3"),)
    found, intake, _ = take_in(
        FakeFile(
            TABLE_SCHEMAS["hub-ratings"],
            [(2, rating("h1", rating="good")), (3, ragged), (4, rating(HUB)), (6, rating(HUB.upper()))],
        )
    )

    assert not found[0].stored
    assert found[0].rows == 4
    assert [str(fault).partition(" must")[0] for fault in found[0].faults] == [
        "line 2: hub_id = h1:",
        "line 2: rating = good:",
        "line 3: cells = 2:",
        f"line 6: hub_id = {HUB}:",
    ]
    assert str(found[0].faults[-1]).endswith("must be there once: line 4 has the same month and hub_id")
    assert intake.stored == []


def test_a_row_that_cannot_be_reported_is_stored_with_a_warning() -> None:
    found, intake, _ = take_in(
        FakeFile(TABLE_SCHEMAS["hub-ratings"], [(2, rating(HUB, rating="7")), (3, rating(HUB, month="2026-09"))]),
        FakeFile(
            TABLE_SCHEMAS["point-ratings"],
            [(2, {"month": "2026-10", "point_id": HUB, "rating": "", "total_complaints": "0"})],
        ),
    )

    assert [one.stored for one in found] == [True, True]
    assert [str(warning) for warning in found[0].warnings] == ["line 2: rating = 7: must be 1 to 6 (1 best)"]
    assert [warning.fault.column for warning in found[1].warnings] == ["rating"]
    assert len(intake.stored) == 2


def test_a_refused_file_does_not_hold_up_the_next() -> None:
    found, intake, _ = take_in(
        BrokenFile(TABLE_SCHEMAS["hub-ratings"]), FakeFile(TABLE_SCHEMAS["hub-ratings"], [(2, rating(HUB))])
    )

    assert [(one.file, one.stored, str(one.problem)) for one in found] == [
        ("broken.csv", False, "broken.csv, line 3: is not UTF-8"),
        ("fake.csv", True, "None"),
    ]
    assert len(intake.stored) == 1


def test_a_file_that_changes_between_check_and_storing_is_refused() -> None:
    found, intake, _ = take_in(
        FakeFile(TABLE_SCHEMAS["hub-ratings"], [(2, rating(HUB))], later=[(2, rating(HUB)), (3, rating("h1"))])
    )

    assert not found[0].stored
    assert str(found[0].problem) == "fake.csv, line 3: the file changed while it was imported"
    assert intake.stored == []
