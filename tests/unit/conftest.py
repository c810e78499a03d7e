"""What several unit tests share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.api_client import Api

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def an_api() -> Iterator[Api]:
    factory = Api()
    yield factory
    for one in factory.made:
        one.close()
