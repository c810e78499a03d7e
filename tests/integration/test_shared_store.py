"""Who may share a store, and who may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from report_service.adapters.db.engine import Store
from report_service.adapters.db.schema import require_current
from report_service.adapters.db.scope import Scope
from report_service.adapters.db.tables import deliveries
from report_service.errors import ConfigurationError
from tests.support.ledger_desk import Desk, row

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def opening() -> Iterator[Callable[[str], Store]]:
    """Return what opens stores, and close them all in the end."""
    opened = []

    def open_store(url: str) -> Store:
        opened.append(Store(url))
        require_current(opened[-1], auto_upgrade=True)
        return opened[-1]

    yield open_store
    for store in opened:
        store.close()


def unshared(folder: Path) -> str:
    """Return the URL of a file that is opened as on a network share: without memory that processes share."""
    return f"sqlite:///file:{folder / 'store.sqlite3'}?vfs=unix-dotfile&uri=true"


def test_a_file_without_write_ahead_logging_is_one_daemon_s_alone(
    tmp_path: Path, opening: Callable[[str], Store]
) -> None:
    first, second = opening(unshared(tmp_path)), opening(unshared(tmp_path))

    assert first.require_alone() is True
    with pytest.raises(ConfigurationError, match=r"another daemon works with .*store\.sqlite3.*network share"):
        second.require_alone()
    first.close()
    assert second.require_alone() is True


def test_a_file_on_a_disk_and_a_server_are_shared(store_url: str, opening: Callable[[str], Store]) -> None:
    assert [opening(store_url).require_alone() for _ in range(2)] == [False, False]


def test_a_second_cpo_is_refused_where_another_s_reports_were_sent(store: Store) -> None:
    desk = Desk(store, cpo_id="DEABC")
    desk.plan({"hub": row()})
    Scope("mock", "DEXYZ").require_alone(store)  # planned, but nothing was sent: a mistyped id can be mended
    with store.write() as connection:
        connection.execute(update(deliveries).values(attempts=1))

    for other in ("AAA", "ZZZ"):
        with pytest.raises(ConfigurationError, match=r"for the CPO DEABC, and obelis\.cpo_id is") as refused:
            Scope(desk.endpoint, other).require_alone(store)
        assert "Several operators" in str(refused.value.hint)
    Scope(desk.endpoint, "DEABC").require_alone(store)
    Scope("https://elsewhere.example", "ZZZ").require_alone(store)  # another endpoint has books of its own
