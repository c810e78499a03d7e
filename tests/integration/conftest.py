"""What several integration tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.ledger_desk import Desk
from tests.support.simulated_daemon import Daemons

if TYPE_CHECKING:
    from collections.abc import Iterator

    from report_service.adapters.db.engine import Store


@pytest.fixture
def daemons() -> Iterator[Daemons]:
    """Start daemons, and close them when the test ends."""
    started = Daemons()
    yield started
    started.close()


@pytest.fixture
def desk(store: Store) -> Desk:
    """Return one process at one ledger, which has the lease."""
    return Desk(store)
