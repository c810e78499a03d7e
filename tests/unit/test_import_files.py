from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from report_service.domain.field_errors import FieldError
from report_service.domain.table_schemas import TABLE_SCHEMAS
from report_service.errors import BadInput
from report_service.services.import_files import Imported, import_files
from tests.support.remembering_intake import RememberingIntake

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from report_service.domain.table_schemas import TableSchema

HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"
OTHER = "2a2e7db7-1bea-44db-9e52-2ddab118d699"

Row = tuple[int, "Mapping[str, object] | tuple[FieldError, ...]"]


@dataclass
class FakeFile:
    """A file with these rows; from the second reading on with `later`, if given."""

    schema: TableSchema
    lines: list[Row]
    later: list[Row] | None = None
    name: str = "fake.csv"
    unit: str = "line"
    read: int = 0

    def held(self) -> AbstractContextManager[None]:
        return nullcontext()

    def rows(self, progress: Callable[[int], None]) -> Iterator[Row]:
        self.read += 1
        yield from self.lines if self.read == 1 or self.later is None else self.later
        progress(100)


@dataclass
class BrokenFile:
    schema: TableSchema
    name: str = "broken.csv"
    unit: str = "line"

    def held(self) -> AbstractContextManager[None]:
        return nullcontext()

    def rows(self, progress: Callable[[int], None]) -> Iterator[Row]:
        yield 2, rating(HUB)
        raise BadInput("broken.csv, line 3: is not UTF-8")


def rating(hub_id: object, **changed: object) -> dict[str, object]:
    return {"month": "2026-10", "hub_id": hub_id, "rating": "2"} | changed


def take_in(*files: FakeFile | BrokenFile) -> tuple[list[Imported], RememberingIntake, list[int]]:
    intake, told = RememberingIntake(), list[int]()
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
            [(2, rating("h1", rating="good")), (3, ragged), (4, rating(HUB))],
        )
    )

    assert not found[0].stored
    assert found[0].rows == 3
    assert [str(fault).partition(" must")[0] for fault in found[0].faults] == [
        "line 2: hub_id = h1:",
        "line 2: rating = good:",
        "line 3: cells = 2:",
    ]
    assert intake.stored == []


def test_several_rows_that_differ_are_that_reports_fault_and_no_figures_of_it_are_stored() -> None:
    found, intake, _ = take_in(
        FakeFile(
            TABLE_SCHEMAS["hub-ratings"],
            [(2, rating(HUB)), (3, rating(OTHER)), (4, rating(HUB.upper(), rating="3")), (5, rating(HUB))],
        )
    )

    assert found[0].stored
    assert [str(warning) for warning in found[0].warnings] == [
        f"line {line}: hub_id = {HUB}: must be there once: line 2 has the same month and hub_id, but other figures"
        for line in (4, 5)
    ]
    (contradictory, good) = intake.stored[0][1]
    assert (contradictory["hub_id"], contradictory["rating"]) == (HUB, None)
    assert contradictory["conflict"] == "fake.csv has several rows for this report (lines 2, 4, 5): leave one"
    assert (good["hub_id"], good["rating"]) == (OTHER, Decimal(2))


def test_the_same_row_twice_says_nothing_new() -> None:
    found, intake, _ = take_in(
        FakeFile(TABLE_SCHEMAS["hub-ratings"], [(2, rating(HUB)), (3, rating(HUB.upper(), rating="2"))]),
        FakeFile(
            TABLE_SCHEMAS["provider-groups"], [(2, {"provider_group": "DEVFL"}), (3, {"provider_group": "devfl"})]
        ),
    )

    assert [one.warnings + one.faults for one in found] == [[], []]
    assert [len(rows) for _, rows in intake.stored] == [1, 1]


def test_an_inventory_with_a_hub_twice_is_refused() -> None:
    hub = {"hub_id": HUB, "commissioned_on": "2025-01-01"}
    found, intake, _ = take_in(FakeFile(TABLE_SCHEMAS["hubs"], [(2, hub), (3, hub | {"name": "Coswig"})]))

    assert [str(fault).partition(": must be ")[2] for fault in found[0].faults] == [
        "there once: line 2 has the same hub_id, but other figures"
    ]
    assert intake.stored == []


def test_an_odd_evse_id_is_stored_with_a_warning() -> None:
    point = {"point_id": HUB, "hub_id": OTHER, "evse_id": "+49*810*000*0815", "commissioned_on": "2025-01-01"}
    found, intake, _ = take_in(
        FakeFile(TABLE_SCHEMAS["points"], [(2, point), (3, point | {"point_id": OTHER, "evse_id": "DE*ABC*E1"})])
    )

    assert found[0].warnings == []
    assert [str(remark) for remark in found[0].remarks] == [
        (
            "line 2: evse_id = +49*810*000*0815: is no EVSE id like DE*ABC*E45B*78C; "
            "it is stored as it is, and never sent"
        )
    ]
    assert [row["evse_id"] for row in intake.stored[0][1]] == ["+49*810*000*0815", "DE*ABC*E1"]


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


def test_a_file_without_rows_never_takes_a_whole_table_with_it() -> None:
    intake = RememberingIntake()
    intake.known = {(HUB,), (OTHER,)}

    (kept,) = import_files([FakeFile(TABLE_SCHEMAS["hubs"], [])], intake, progress=lambda read: None)
    (refused,) = import_files(
        [FakeFile(TABLE_SCHEMAS["hubs"], [])], intake, progress=lambda read: None, replace=True
    )

    assert (kept.stored, len(kept.gone), kept.removed) == (True, 2, False)
    assert (refused.stored, refused.removed) == (False, False)
    assert str(refused.problem) == "fake.csv has no rows, and --replace would remove all that is stored (2)"
    assert refused.problem is not None
    assert refused.problem.hint
    assert intake.removed == []


def test_the_months_of_one_file_are_seen_beside_each_other() -> None:
    months = [(2, rating(HUB, month="2026-09", rating="1.2")), (3, rating(HUB, month="2026-10", rating="3.9"))]
    calls = {"hotline_calls": 50, "fcr_rate": "0.9", "asa_seconds": 20}
    hotline = [(line, {**row, **calls}) for line, row in months]

    (found,) = take_in(FakeFile(TABLE_SCHEMAS["hotline-ratings"], [*hotline]))[0]

    assert [str(odd.month) for odd in found.implausible] == ["2026-10"]
    assert found.implausible[0].words.startswith("the average went from 1.2 to 3.9")


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
