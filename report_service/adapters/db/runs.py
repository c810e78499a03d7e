"""The runs that were made, in SQL."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import and_, insert, select, update

from report_service.adapters.db.tables import runs
from report_service.ports import RunRecord

if TYPE_CHECKING:
    from collections.abc import Mapping

    from report_service.adapters.db.engine import Store
    from report_service.adapters.db.scope import Scope
    from report_service.domain.months import ReportMonth


class SqlRunLog:
    """The runs of one ledger (`ports.RunLog`)."""

    def __init__(self, store: Store, scope: Scope) -> None:
        """Take the store, and whose reports the runs are about."""
        self._store = store
        self._scope = scope

    def begin(self, run: RunRecord, *, instance: str) -> None:
        with self._store.write() as connection:
            connection.execute(
                insert(runs).values(
                    run_id=run.run_id,
                    endpoint=self._scope.endpoint,
                    cpo_id=self._scope.cpo_id,
                    month=str(run.month),
                    started_by=run.started_by,
                    instance=instance,
                    started_at=run.started_at,
                )
            )

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
        scope = self._scope
        mine = and_(runs.c.endpoint == scope.endpoint, runs.c.cpo_id == scope.cpo_id, runs.c.month == str(month))
        with self._store.read() as connection:
            row = connection.execute(
                select(runs).where(mine).order_by(runs.c.started_at.desc()).limit(1)
            ).one_or_none()
        if row is None:
            return None
        return RunRecord(
            run_id=row.run_id,
            month=month,
            started_by=row.started_by,
            started_at=row.started_at,
            ended_at=row.ended_at,
            result=row.result,
            detail=row.detail,
        )
