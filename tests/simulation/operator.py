"""The operator: whose hubs, points and figures they are, and what a person does to the tables.

`Books` is the truth that the laws go by: what is due, and which figures could be reported.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from report_service.adapters.db.intake import SqlIntake
from report_service.domain.months import ReportMonth
from report_service.domain.table_schemas import TABLE_SCHEMAS
from report_service.mock_api.operator import made_up_operator
from tests.simulation.store import disk
from tests.support.stores import sqlite_content

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from report_service.adapters.db.engine import Store

KINDS = {
    "hotline_ratings": ("hotline_rating", None),
    "nondiscriminatory_access": ("nondiscriminatory_access", "provider_group"),
    "hub_ratings": ("hub_rating", "hub_id"),
    "ad_hoc_tariffs": ("ad_hoc_tariff", "hub_id"),
    "point_ratings": ("point_rating", "point_id"),
}
"""By table of figures the kind of report, and the column that names its subject."""
INVENTORY = ("hubs", "points", "provider_groups")


@dataclass(frozen=True, slots=True)
class Size:
    """How much an operator has."""

    hubs: int
    points_per_hub: int
    provider_groups: int

    @property
    def reports(self) -> int:
        return 1 + self.provider_groups + self.hubs * (2 + self.points_per_hub)


@lru_cache(maxsize=64)
def store_of(month: str, size: Size) -> tuple[bytes, tuple[str, ...]]:
    """Return the content of an operator's store, and the keys of the reports that are due by it."""
    made = made_up_operator(
        ReportMonth.parse(month),
        hubs=size.hubs,
        points_per_hub=size.points_per_hub,
        provider_groups=size.provider_groups,
    )

    def fill(store: Store) -> None:
        for name, rows in made.items():
            schema = TABLE_SCHEMAS[name]
            SqlIntake(store, {}).upsert(schema, [cast("dict[str, object]", schema.read(row)) for row in rows])

    return sqlite_content(fill), tuple(
        _keys(month, {TABLE_SCHEMAS[name].table: rows for name, rows in made.items()})
    )


def _keys(month: str, tables: Mapping[str, Iterable[Mapping[str, object]]]) -> Iterable[str]:
    for table, (kind, column) in KINDS.items():
        for row in tables[table]:
            yield f"{month}/{kind}" + (f"/{row[column]}" if column else "")


@dataclass(slots=True)
class Books:
    """What the operator knows, and the hands that change the tables."""

    month: str
    due: set[str]  # keys
    unusable: set[str] = field(default_factory=set)  # keys without a row, or with one that cannot be sent
    waived: set[str] = field(default_factory=set)
    withdrawn: set[str] = field(default_factory=set)  # not due any more
    set_aside: dict[str, list[tuple[object, ...]]] = field(default_factory=dict)  # rows of emptied tables

    def keys_of(self, table: str) -> list[str]:
        kind, _ = KINDS[table]
        return sorted(key for key in self.due if key.split("/")[1] == kind)

    def empty(self, table: str) -> None:
        """Delete all rows of a table, as a job does that is about to fill it anew."""
        if table in self.set_aside:
            return
        with closing(_connect()) as live:
            self.set_aside[table] = live.execute(f"SELECT * FROM {table}").fetchall()
            live.execute(f"DELETE FROM {table}")
            live.commit()

    def restore(self, table: str) -> None:
        """Put the rows back."""
        rows = self.set_aside.pop(table, [])
        with closing(_connect()) as live:
            live.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({_marks(rows)})", rows)
            live.commit()

    def lose(self, key: str) -> None:
        """Have no figures for a report yet."""
        self._change(key, "DELETE FROM {table} WHERE {where}")
        self.unusable.add(key)

    def spoil(self, key: str) -> None:
        """Have figures that break a rule."""
        self._change(key, "UPDATE {table} SET {value} = '77' WHERE {where}")
        self.unusable.add(key)

    def mend(self, key: str, value: int) -> None:
        """Give other figures; those that were missing come in again."""
        table, where = self._place(key)
        if table in self.set_aside:
            return
        with closing(_connect()) as live:
            found = live.execute(f"SELECT count(*) FROM {table} WHERE {where}").fetchone()[0]
            if not found:
                rows = self._originals(table, where)
                live.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({_marks(rows)})", rows)
            live.execute(f"UPDATE {table} SET {_column(table)} = ? WHERE {where}", (str(value),))
            live.commit()
        self.unusable.discard(key)

    def withdraw_point(self, key: str) -> None:
        """Correct the inventory: a point was out of operation before the month began."""
        subject = key.split("/")[2]
        with closing(_connect()) as live:
            live.execute("UPDATE points SET decommissioned_on = '2024-02-01' WHERE point_id = ?", (subject,))
            live.commit()
        self.due.discard(key)
        self.withdrawn.add(key)

    def _change(self, key: str, statement: str) -> None:
        table, where = self._place(key)
        with closing(_connect()) as live:
            live.execute(statement.format(table=table, where=where, value=_column(table)))
            live.commit()

    def _place(self, key: str) -> tuple[str, str]:
        _, kind, *subject = key.split("/")
        table, column = next((table, column) for table, (each, column) in KINDS.items() if each == kind)
        return table, f"month = '{self.month}'" + (f" AND {column} = '{subject[0]}'" if column else "")

    def _originals(self, table: str, where: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(disk().folder / "original.sqlite3")) as original:
            return original.execute(f"SELECT * FROM {table} WHERE {where}").fetchall()


def _column(table: str) -> str:
    """Return the column whose value makes another report of a row."""
    return "rating" if "rating" in table else "cost_ct_per_kwh"


def _marks(rows: list[tuple[object, ...]]) -> str:
    return ", ".join("?" * len(rows[0])) if rows else "NULL"


def _connect() -> sqlite3.Connection:
    return sqlite3.connect(disk().path, timeout=0)
