"""Take in files: all of a file or nothing of it, and every reason why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from report_service.domain import parsers
from report_service.domain.field_errors import FieldError
from report_service.domain.months import ReportMonth
from report_service.domain.plausibility import Figures, implausible
from report_service.domain.reports import read_report
from report_service.domain.table_schemas import CONFLICT, POINTS, REPORT_SCHEMAS
from report_service.errors import BadInput
from report_service.services.planning.screening import beside_last_month

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from report_service.domain.plausibility import Implausible
    from report_service.domain.table_schemas import TableSchema
    from report_service.ports import Intake, TableFile

_KINDS = {schema.name: kind for kind, schema in REPORT_SCHEMAS.items()}

_LINES = 0xFFFFFFFF
"""The part of a mark that is the line."""

Key = tuple[str, ...]
"""The values of a table's key columns."""


@dataclass(frozen=True, slots=True)
class LineFault:
    """A fault, and the line of a CSV file or the row of a sheet that it is in (from 1)."""

    line: int
    fault: FieldError
    unit: str = "line"

    def __str__(self) -> str:
        return f"{self.unit} {self.line}: {self.fault}"


@dataclass(slots=True, kw_only=True)
class Imported:
    """What became of one file, or one sheet."""

    file: str
    table: str
    rows: int = 0
    blank: int = 0  # of them without a figure: not stored, they say nothing
    faults: list[LineFault] = field(default_factory=list)  # any of them: nothing of the file is stored
    warnings: list[LineFault] = field(default_factory=list)  # stored, but cannot be reported as it is
    remarks: list[LineFault] = field(default_factory=list)  # stored and reported, but odd
    implausible: list[Implausible] = field(default_factory=list)  # the same, of figures beside each other
    problem: BadInput | None = None  # the file as a whole cannot be read
    gone: list[Key] = field(default_factory=list)  # stored rows that the file does not have
    removed: bool = False  # those are not stored any more

    @property
    def stored(self) -> bool:
        """Return True if the file's rows are in the store."""
        return not self.faults and self.problem is None


@dataclass(slots=True)
class _Seen:
    """Which keys a file has, on which line first; and those that have several rows which differ."""

    first: dict[Key, dict[str, int]] = field(default_factory=dict)  # by all of a key but its last: `_mark`
    several: dict[Key, list[int]] = field(default_factory=dict)
    blank: set[Key] = field(default_factory=set)
    figures: dict[ReportMonth, Figures] = field(default_factory=dict)

    def has(self, key: Key) -> bool:
        """Return True if the file has a row with this key, with figures or without."""
        return key[-1] in self.first.get(key[:-1], ()) or key in self.blank


def import_files(
    files: Iterable[TableFile], intake: Intake, *, progress: Callable[[int], None], replace: bool = False
) -> Iterator[Imported]:
    """Check each file as a whole, then store it; yield what became of it.

    A refused file does not hold up the others. Each is read twice, so that the store is locked only while
    checked rows are written; `progress` is told the bytes of both. With `replace`, stored rows of the table (of
    the file's months) that the file does not have are removed, but never all of a table by a file without rows.
    Raise StoreUnavailable.
    """
    for file in files:
        imported, seen = Imported(file=file.name, table=file.schema.name), _Seen()
        try:
            with file.held():
                _check(file, imported, seen, progress)
                if imported.stored:
                    _store(file, imported, seen, intake, progress, replace=replace)
        except BadInput as bad:
            imported.problem, imported.removed = bad, False
        yield imported


def _store(
    file: TableFile,
    imported: Imported,
    seen: _Seen,
    intake: Intake,
    progress: Callable[[int], None],
    *,
    replace: bool,
) -> None:
    """Write the checked rows, and note what is odd about them beside what is stored."""
    months = [str(month) for month in seen.figures]
    imported.gone = [key for key in intake.keys(file.schema, months) if not seen.has(key)]
    imported.removed = replace and bool(imported.gone)
    if imported.removed and not imported.rows:
        raise _nothing_to_replace_by(file, len(imported.gone))
    imported.implausible += _screened(seen.figures, intake)
    intake.upsert(file.schema, _values(file, seen, progress), remove=imported.gone if imported.removed else [])


def _check(file: TableFile, imported: Imported, seen: _Seen, progress: Callable[[int], None]) -> None:
    """Read every row, and note what is wrong with it."""

    def noted(line: int, faults: Iterable[FieldError]) -> list[LineFault]:
        return [LineFault(line, fault, file.unit) for fault in faults]

    for line, row in file.rows(progress):
        imported.rows += 1
        values = row if isinstance(row, tuple) else file.schema.read(row)
        if isinstance(values, tuple):
            imported.faults += noted(line, values)
            continue
        if _is_blank(file.schema, values):
            imported.blank += 1
            seen.blank.add(_key(file.schema, values))
            continue
        _note_figures(file.schema, values, seen)
        twice = _twice(file, line, values, seen)
        if twice and file.schema.name not in _KINDS:
            imported.faults += noted(line, (twice,))
        elif twice:
            imported.warnings += noted(line, (twice,))
        elif file.schema is POINTS:
            imported.remarks += noted(line, _odd_evse_id(values["evse_id"]))
        else:
            imported.warnings += noted(line, _unreportable(file.schema, values))


def _twice(file: TableFile, line: int, values: Mapping[str, object], seen: _Seen) -> FieldError | None:
    """Return what is wrong with a row whose key was there before; the same row again says nothing new."""
    key, mark = _key(file.schema, values), _mark(line, values)
    known = seen.first.setdefault(key[:-1], {}).setdefault(key[-1], mark)
    first = known & _LINES
    if first == line or (mark - line == known - first and key not in seen.several):
        return None
    seen.several.setdefault(key, [first]).append(line)
    names = " and ".join(file.schema.key)
    rule = f"must be there once: {file.unit} {first} has the same {names}, but other figures"
    return FieldError(file.schema.key[-1], key[-1], rule)


def _mark(line: int, values: Mapping[str, object]) -> int:
    """Return a line and a hash of what it says as one number: of a hundred thousand rows, pairs are too large."""
    return hash(tuple(values.values())) << 32 | line


def _note_figures(schema: TableSchema, values: Mapping[str, object], seen: _Seen) -> None:
    kind = _KINDS.get(schema.name)
    if kind is None:
        return
    month = _month(str(values["month"]))
    if month not in seen.figures:
        seen.figures[month] = Figures(kind, month)
    seen.figures[month].add(values)


def _screened(figures: dict[ReportMonth, Figures], intake: Intake) -> Iterator[Implausible]:
    """Yield what is odd, newest month first; the month before is the file's, or else what is stored.

    Figures are let go as they are done with: a sheet is loaded once more, and needs their room.
    """
    for month in sorted(figures, reverse=True):
        this, last = figures.pop(month), figures.get(month.shift(-1))
        yield from beside_last_month(this, intake.rows) if last is None else implausible(this, last)


def _nothing_to_replace_by(file: TableFile, count: int) -> BadInput:
    """Return the refusal of an emptied export that would take a whole table with it."""
    return BadInput(
        f"{file.name} has no rows, and --replace would remove all that is stored ({count:,})",
        hint="See what made the file; without --replace it changes nothing.",
    )


@lru_cache
def _month(text: str) -> ReportMonth:
    """Return a month by its text: of many thousand rows there are a few."""
    return ReportMonth.parse(text)


def _unreportable(schema: TableSchema, values: Mapping[str, object]) -> tuple[FieldError, ...]:
    """Return why the row makes no report; whether a point has a hub is not the file's matter."""
    kind = _KINDS.get(schema.name)
    if kind is None:
        return ()
    report = read_report(kind, _month(str(values["month"])), values, hub_id="")
    return report if isinstance(report, tuple) else ()


def _odd_evse_id(value: object) -> tuple[FieldError, ...]:
    if value is None or parsers.is_usual_evse_id(str(value)):
        return ()
    rule = "is no EVSE id like DE*ABC*E45B*78C; it is stored as it is, and never sent"
    return (FieldError("evse_id", value, rule),)


def _is_blank(schema: TableSchema, values: Mapping[str, object]) -> bool:
    """Return True if a row has no figures, as in a form that is not filled in: it must not undo what is stored."""
    return schema.name in _KINDS and all(
        value is None for column, value in values.items() if column not in schema.key
    )


def _key(schema: TableSchema, values: Mapping[str, object]) -> Key:
    return tuple(str(values[column]) for column in schema.key)


def _values(file: TableFile, seen: _Seen, progress: Callable[[int], None]) -> Iterator[Mapping[str, object]]:
    """Yield what is to be stored of each row; of several with one key, why none of them is right."""
    for line, row in file.rows(progress):
        values = row if isinstance(row, tuple) else file.schema.read(row)
        if isinstance(values, tuple):
            raise BadInput(
                f"{file.name}, {file.unit} {line}: the file changed while it was imported",
                hint="Import it again when nothing writes to it any more.",
            )
        if _is_blank(file.schema, values):
            continue
        key = _key(file.schema, values)
        if line == seen.first[key[:-1]][key[-1]] & _LINES:
            lines = seen.several.get(key)
            yield _conflict(file, values, lines) if lines else values


def _conflict(file: TableFile, values: Mapping[str, object], lines: list[int]) -> Mapping[str, object]:
    """Return a row that holds no figures, but says where they contradict each other."""
    known = {column: value if column in file.schema.key else None for column, value in values.items()}
    places = ", ".join(map(str, lines[:5])) + (", ..." if len(lines) > 5 else "")
    return known | {CONFLICT: f"{file.name} has several rows for this report ({file.unit}s {places}): leave one"}
