"""The chain of evidence in SQL: written in the transaction that records an outcome, never changed."""

from __future__ import annotations

import json
from itertools import groupby
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, bindparam, delete, insert, select, text

from report_service.adapters.db.tables import attempts, deliveries, evidence
from report_service.domain.evidence import ANSWER_LIMIT, EvidenceEntry, EvidenceLink, genesis
from report_service.domain.months import ReportMonth, SubmissionWindow
from report_service.domain.responses import Outcome

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Row

    from report_service.adapters.db.engine import Store
    from report_service.adapters.db.scope import Scope
    from report_service.ports import AttemptResult

_E = evidence.c
_ENTRY = tuple(EvidenceEntry.__dataclass_fields__)
_MONTH = and_(
    _E.endpoint == bindparam("endpoint"), _E.cpo_id == bindparam("cpo_id"), _E.month == bindparam("month")
)
_LAST = select(_E.position, _E.digest).where(_MONTH).order_by(_E.position.desc()).limit(1)
_ADD = insert(evidence)
_ADD_AT_ONCE = text(
    "INSERT INTO evidence SELECT * FROM json_populate_recordset(NULL::evidence, CAST(:rows AS json))"
)
"""The same on PostgreSQL in one statement: its driver makes one of each row."""
_LINKS = select(evidence).where(_MONTH).order_by(_E.position)


class SqlEvidenceLog:
    """The evidence of one ledger (`ports.EvidenceLog`)."""

    def __init__(self, store: Store, scope: Scope) -> None:
        """Take the store, and whose evidence it is."""
        self._store = store
        self._scope = scope

    def head(self, month: ReportMonth) -> str | None:
        with self._store.read() as connection:
            last = connection.execute(_LAST, _names(self._scope, str(month))).one_or_none()
        return last and last.digest

    def links(self, month: ReportMonth) -> list[EvidenceLink]:
        with self._store.read() as connection:
            return [_link(row) for row in connection.execute(_LINKS, _names(self._scope, str(month)))]

    def span(self) -> tuple[ReportMonth, ReportMonth] | None:
        ours = and_(_E.endpoint == self._scope.endpoint, _E.cpo_id == self._scope.cpo_id)
        first = select(_E.month).where(ours).order_by(_E.month).limit(1)
        accepted = and_(ours, _E.outcome == Outcome.ACCEPTED)
        last = select(_E.month).where(accepted).order_by(_E.month.desc()).limit(1)
        with self._store.read() as connection:
            months = [connection.execute(query).scalar() for query in (first, last)]
        found = [ReportMonth.parse(month) for month in months if month is not None]
        return (found[0], found[1]) if len(found) == 2 else None

    def drop(self, month: ReportMonth) -> int:
        closed = SubmissionWindow.of(month, guard_s=0).closes
        reports = select(deliveries.c.id).where(self._scope.of(month))
        tokens = and_(
            attempts.c.endpoint == self._scope.endpoint,
            attempts.c.delivery_id.is_(None),
            attempts.c.started_at < closed,
        )
        with self._store.write() as connection:
            connection.execute(delete(evidence).where(_MONTH), _names(self._scope, str(month)))
            gone = [
                connection.execute(delete(attempts).where(which)).rowcount
                for which in (attempts.c.delivery_id.in_(reports), tokens)
            ]
        return sum(gone)


def _link(row: Row[Any]) -> EvidenceLink:
    return EvidenceLink(EvidenceEntry(**{name: getattr(row, name) for name in _ENTRY}), row.digest)


def known(connection: Connection, request_ids: Sequence[str]) -> set[str]:
    """Return those of the requests whose answer is in a chain."""
    return set(connection.scalars(select(_E.request_id).where(_E.request_id.in_(request_ids))))


def append(connection: Connection, scope: Scope, ended: Sequence[AttemptResult]) -> None:
    """Add what became of requests for reports to the chains of their months.

    The connection holds the row of the lease (`SqlLeaseStore.holds`), so nobody else adds at the same time.
    """
    of_reports = [one for one in ended if one.delivery is not None]
    for month, results in groupby(of_reports, key=lambda one: str(one.delivery and one.delivery.key.month)):
        _append(connection, _names(scope, month), list(results))


def _append(connection: Connection, names: dict[str, str], results: Sequence[AttemptResult]) -> None:
    last = connection.execute(_LAST, names).one_or_none()
    written, digest = last or (0, genesis(**names))
    rows = []
    for position, result in enumerate(results, written + 1):
        entry = _entry(position, result)
        digest = entry.digest(digest)
        rows.append({**names, **{name: getattr(entry, name) for name in _ENTRY}, "digest": digest})
    if connection.dialect.name == "postgresql":
        connection.execute(_ADD_AT_ONCE, {"rows": json.dumps(rows, default=str)})
    else:
        connection.execute(_ADD, rows)


def _entry(position: int, result: AttemptResult) -> EvidenceEntry:
    delivery = result.delivery
    assert delivery is not None
    return EvidenceEntry(
        position=position,
        report_key=str(delivery.key),
        request_id=result.request_id,
        verb=result.verb,
        path=result.path or delivery.path,
        sha256=delivery.payload_sha256,
        at=result.ended_at,
        http_status=result.http_status,
        outcome=result.outcome.value,
        answer=(result.full_answer or result.answer)[:ANSWER_LIMIT].replace("\0", "\N{REPLACEMENT CHARACTER}"),
    )


def _names(scope: Scope, month: str) -> dict[str, str]:
    return {"endpoint": scope.endpoint, "cpo_id": scope.cpo_id, "month": month}
