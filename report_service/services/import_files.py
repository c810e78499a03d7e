"""Take in files: all of a file or nothing of it, and every reason why not."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from report_service.domain.field_errors import FieldError
from report_service.domain.months import ReportMonth
from report_service.domain.reports import read_report
from report_service.domain.table_schemas import REPORT_SCHEMAS
from report_service.errors import BadInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from report_service.domain.table_schemas import TableSchema
    from report_service.ports import Intake, TableFile

_KINDS = {schema.name: kind for kind, schema in REPORT_SCHEMAS.items()}


@dataclass(frozen=True, slots=True)
class LineFault:
    """A fault, and the line that its row begins on (from 1)."""

    line: int
    fault: FieldError

    def __str__(self) -> str:
        return f"line {self.line}: {self.fault}"


@dataclass(slots=True, kw_only=True)
class Imported:
    """What became of one file."""

    file: str
    table: str
    rows: int = 0
    faults: list[LineFault] = field(default_factory=list)  # any of them: nothing of the file is stored
    warnings: list[LineFault] = field(default_factory=list)  # stored, but cannot be reported as it is
    problem: BadInput | None = None  # the file as a whole cannot be read

    @property
    def stored(self) -> bool:
        """Return True if the file's rows are in the store."""
        return not self.faults and self.problem is None


def import_files(
    files: Iterable[TableFile], intake: Intake, *, progress: Callable[[int], None]
) -> Iterator[Imported]:
    """Check each file as a whole, then store it; yield what became of it.

    A refused file does not hold up the others. Each is read twice, so that the store is locked only while
    checked rows are written; `progress` is told the bytes of both. Raise StoreUnavailable.
    """
    for file in files:
        imported = Imported(file=file.name, table=file.schema.name)
        try:
            _check(file, imported, progress)
            if imported.stored:
                intake.upsert(file.schema, _values(file, progress))
        except BadInput as bad:
            imported.problem = bad
        yield imported


def _check(file: TableFile, imported: Imported, progress: Callable[[int], None]) -> None:
    seen: dict[tuple[object, ...], int] = {}
    for line, row in file.rows(progress):
        imported.rows += 1
        values = row if isinstance(row, tuple) else file.schema.read(row)
        if isinstance(values, tuple):
            imported.faults += [LineFault(line, fault) for fault in values]
            continue
        key = tuple(values[column] for column in file.schema.key)
        first = seen.setdefault(key, line)
        if first != line:
            rule = f"must be there once: line {first} has the same {' and '.join(file.schema.key)}"
            imported.faults.append(LineFault(line, FieldError(file.schema.key[-1], key[-1], rule)))
        imported.warnings += [LineFault(line, fault) for fault in _unreportable(file.schema, values)]


def _unreportable(schema: TableSchema, values: Mapping[str, object]) -> tuple[FieldError, ...]:
    """Return why the row makes no report; whether a point has a hub is not the file's matter."""
    kind = _KINDS.get(schema.name)
    if kind is None:
        return ()
    report = read_report(kind, ReportMonth.parse(str(values["month"])), values, hub_id="")
    return report if isinstance(report, tuple) else ()


def _values(file: TableFile, progress: Callable[[int], None]) -> Iterator[Mapping[str, object]]:
    for line, row in file.rows(progress):
        values = row if isinstance(row, tuple) else file.schema.read(row)
        if isinstance(values, tuple):
            raise BadInput(
                f"{file.name}, line {line}: the file changed while it was imported",
                hint="Import it again when nothing writes to it any more.",
            )
        yield values
