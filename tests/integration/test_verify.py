"""An exported proof: whatever is changed in it is told, and where."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

import pytest

from report_service.errors import BadInput
from report_service.mock_api.injected_faults import InjectedFault
from report_service.services.proof.proof import as_json, gather
from report_service.services.proof.verify import ExportedProof
from tests.support.simulation import MONTH, World, site

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def exported(tmp_path: Path) -> str:
    """Return the proof of a month with a report that was refused, and one that was tried twice."""
    faults = [InjectedFault.parse(fault) for fault in ("400@hotline_rating", "503@hub_rating#1")]
    with site(tmp_path, World(faults=faults)).process() as process:
        process.run()
        return as_json(gather(process.service.ledger, MONTH, cpo_id="MOCK", at=process.world.now(), guard_s=60))


def told(text: str) -> list[str]:
    try:
        return ExportedProof.read(text).misfits(head=None)
    except BadInput as refused:
        return [refused.message]


def test_what_was_exported_fits(exported: str) -> None:
    assert told(exported) == []


def test_no_character_can_be_another_unseen(exported: str) -> None:
    random = Random(1)
    for _ in range(1500):
        at, other = random.randrange(len(exported)), random.choice('09azZ_,:"{}[] ')
        changed = exported[:at] + other + exported[at + 1 :]
        assert changed == exported or exported[at].isspace() or told(changed), f"{at}: {exported[at]} -> {other}"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"due":true', '"due":false', f"what is told of {MONTH}/hotline_rating is not what was exported"),
        ('"expected":11', '"expected":10', "something beside the reports is not what was exported"),
        ('"body"', '"bodY"', f"report 1 ({MONTH}/hotline_rating) is not as it was exported: it has no 'body'"),
        (
            '"ended_at":"2',
            '"ended_at":"x',
            f"report 1 ({MONTH}/hotline_rating) is not as it was exported: Invalid",
        ),
        (
            '"digest"',
            '"digesT"',
            f"report 1 ({MONTH}/hotline_rating) is not as it was exported: it has no 'digest'",
        ),
        ('"format"', '"formaT"', "it is no proof as"),
        ('{"key"', '{["key"', "it is no proof as `report-service export --format json` writes it: Expecting"),
    ],
)
def test_what_was_changed_is_named(exported: str, old: str, new: str, says: str) -> None:
    (found, *_) = told(exported.replace(old, new, 1))

    assert found.startswith(says)
