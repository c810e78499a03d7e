from __future__ import annotations

import pytest

from report_service.errors import ContractViolation
from tests.fakes import RecordingEvents


def test_a_misspelt_event_is_refused_and_the_near_one_named() -> None:
    with pytest.raises(
        ContractViolation, match=r"report\.acepted is not a declared event; did you mean report\.accepted\?"
    ):
        RecordingEvents().emit("report.acepted")
