"""What `report-service mock-api` refuses before it listens."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from report_service.cli.mock_api import mock_api
from report_service.errors import BadInput

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"path": ["hub=/x"]}, "--path 'hub=/x' is not KIND=TEMPLATE", "hub_rating=/charginghub/{hub_id}/ratings"),
        ({"path": ["hub_rating=x"]}, "--path 'hub_rating=x'", "hub_rating, ad_hoc_tariff"),
        ({"hidden": ["abc"]}, "--hidden 'abc' is not HUB_ID=SECONDS", "<hub_id>=900"),
        ({"hidden": ["abc=soon"]}, "--hidden 'abc=soon'", "<hub_id>=900"),
        ({"latency": "fast"}, "'fast' is not a latency", "lognormal"),
        ({"fault": ["teapot"]}, "'teapot' is not a fault", "503:0.05"),
    ],
)
def test_an_option_that_cannot_be_read_is_refused(options: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(BadInput) as caught:
        mock_api(**options)  # type: ignore[arg-type]
    assert message in caught.value.message
    assert hint in (caught.value.hint or "")


def test_an_inventory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"hubs\.csv cannot be read"):
        mock_api(inventory=tmp_path)


def test_a_log_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"--log .* cannot be written: Is a directory"):
        mock_api(log=tmp_path)
