"""The runs that were made, in SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, select, update

from report_service.adapters.db.tables import insert_into, runs
from report_service.domain.months import ReportMonth
from report_service.ports import RunRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Row

    from report_service.adapters.db.engine import Store
    from report_service.adapters.db.scope import Scope


class SqlRunLog:
    """The runs of one ledger (`ports.RunLog`)."""

    def __init__(self, store: Store, scope: Scope) -> None:
        """Take the store, and whose reports the runs are about."""
        self._store = store
        self._scope = scope

    def begin(self, run: RunRecord, *, instance: str) -> bool:
        row = {
            "run_id": run.run_id,
            "endpoint": self._scope.endpoint,
            "cpo_id": self._scope.cpo_id,
            "month": str(run.month),
            "started_by": run.started_by,
            "instance": instance,
            "started_at": run.started_at,
        }
        with self._store.write() as connection:
            done = connection.execute(insert_into(runs, connection).values(row).on_conflict_do_nothing())
            return bool(done.rowcount)

    def end(self, run: RunRecord, *, summary: Mapping[str, object]) -> None:
        with self._store.write() as connection:
            connection.execute(
                update(runs)
                .where(runs.c.run_id == run.run_id)
                .values(
                    ended_at=run.ended_at, result=run.result, detail=run.detail, summary=json.dumps(dict(summary))
                )
            )

    def last(self, month: ReportMonth) -> RunRecord | None:
        return next(iter(self.recent(month=month, limit=1)), None)

    def recent(self, *, month: ReportMonth | None, limit: int) -> list[RunRecord]:
        scope = self._scope
        mine = and_(runs.c.endpoint == scope.endpoint, runs.c.cpo_id == scope.cpo_id)
        if month is not None:
            mine = and_(mine, runs.c.month == str(month))
        newest = select(runs).where(mine).order_by(runs.c.started_at.desc()).limit(limit)
        with self._store.read() as connection:
            return [_record(row) for row in connection.execute(newest)]


def _record(row: Row[Any]) -> RunRecord:
    return RunRecord(
        run_id=row.run_id,
        month=ReportMonth.parse(row.month),
        started_by=row.started_by,
        started_at=row.started_at,
        ended_at=row.ended_at,
        result=row.result,
        detail=row.detail,
        instance=row.instance,
        summary=json.loads(row.summary) if row.summary else {},
    )
