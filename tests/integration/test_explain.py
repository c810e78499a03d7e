"""The story of one report, as its ledger tells it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from report_service.bootstrap.rendering import explaining_of
from report_service.domain.kinds import DeliveryKey, Kind
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.responses import Outcome
from report_service.errors import BadInput, UnknownDelivery
from report_service.mock_api.injected_faults import InjectedFault
from report_service.services.explain import MEANINGS
from tests.support.simulation import CLOSES, MONTH, World, site

if TYPE_CHECKING:
    from pathlib import Path

    from report_service.services.explain import Story
    from tests.support.simulation import Process

HOTLINE = str(DeliveryKey(MONTH, HOTLINE_RATING))


def story(process: Process, key: str) -> Story:
    service = process.service
    return explaining_of(service.settings, service.ledger).story(key, at=process.world.now())


def told(process: Process, key: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(story(process, key).as_json()))
    return found


def key_of(process: Process, kind: Kind) -> str:
    return str(DeliveryKey(MONTH, kind, process.service.ledger.history.subjects(MONTH, kind)[0]))


def test_a_delivered_report_shows_its_row_its_bytes_and_the_apis_words(tmp_path: Path) -> None:
    with site(tmp_path, World()).process() as process:
        process.run()
        key = key_of(process, HUB_RATING)
        found = told(process, key)

    assert (found["key"], found["state"], found["evidence"], found["drift"]) == (
        key,
        "accepted",
        "confirmed",
        False,
    )
    assert (found["table"], found["source"]["month"], found["faults"]) == ("hub-ratings", "2026-10", [])
    assert list(found["source"]) == ["month", "hub_id", "rating"]
    assert json.loads(found["body"])["month"] == "10-2026"
    assert found["path"].endswith(f"/charginghub/{key.rpartition('/')[2]}/ratings")
    assert found["obelis_id"]
    (attempt,) = found["attempts"]
    assert set(attempt) >= {"request_id", "started_at", "http_status", "outcome", "answer"}
    assert (attempt["verb"], attempt["http_status"], attempt["outcome"]) == ("POST", 200, "accepted")
    assert attempt["sha256"] == found["sha256"]
    assert found["obelis_id"] in attempt["answer"]
    assert found["next"] == "nothing: it is done"


def test_a_bad_row_is_told_with_its_values_and_the_rule(tmp_path: Path) -> None:
    place = site(tmp_path, World())
    place.store(
        {
            "hotline-ratings": [
                {"month": "2026-10", "hotline_calls": 3, "fcr_rate": 2, "asa_seconds": 1, "rating": 2}
            ]
        }
    )
    with place.process() as process:
        process.run()
        found = told(process, HOTLINE)

    assert (found["state"], found["source"]["fcr_rate"], found["body"]) == ("invalid", "2", None)
    rule = "must be 0 to 1 (93 % is 0.93)"
    assert found["faults"] == [{"column": "fcr_rate", "value": "2", "rule": rule}]
    assert found["reason"] == f"fcr_rate = 2: {rule}"
    assert found["next"] == "mend the row; the next run sends it; the window closes 2026-11-30T23:00:00Z"


def test_every_answer_is_kept_and_the_next_try_is_told(tmp_path: Path) -> None:
    world = World(faults=[InjectedFault.parse("404@hotline_rating#1-2")])
    with site(tmp_path, world).process() as process:
        process.run(patience_s=400)
        found = told(process, HOTLINE)

    assert [one["outcome"] for one in found["attempts"]] == ["not_found", "not_found"]
    assert found["attempts"][0]["started_at"] < found["attempts"][1]["started_at"]
    assert found["next"].startswith(f"tried again by itself at {found['next_attempt_at']}; the window closes")


def test_what_will_hardly_mend_by_itself_says_so(tmp_path: Path) -> None:
    world = World(faults=[InjectedFault.parse("404@hotline_rating")])
    with site(tmp_path, world).process() as process:
        process.run(patience_s=4000)
        assert "it will hardly mend by itself" in story(process, HOTLINE).next


def test_a_row_that_changed_after_delivery_is_told_field_by_field(tmp_path: Path) -> None:
    place = site(tmp_path, World())
    with place.process() as process:
        process.run()
        before = story(process, HOTLINE)
        place.store({"hotline-ratings": [dict(before.row or {}) | {"hotline_calls": 4711}]})
        process.run()
        after = story(process, HOTLINE)

    assert (before.done, before.differences) == (True, [])
    assert (after.done, after.report.drift) == (False, True)
    assert after.differences == [("hotlineCalls", before.sent["hotlineCalls"], 4711)]


def test_a_closed_window_says_what_is_left_to_do(tmp_path: Path) -> None:
    world = World()
    with site(tmp_path, world).process() as process:
        process.run(send=False)
        world.turn_to(CLOSES + timedelta(days=1))
        due = story(process, HOTLINE).next
        process.run()
        missed = story(process, HOTLINE).next

    assert due == "the next run records that the window has closed: report-service backfill"
    assert missed.startswith("hand it in by other means (report-service backfill), then record it")


def test_a_wrong_key_names_the_nearest(tmp_path: Path) -> None:
    with site(tmp_path, World()).process() as process:
        process.run(send=False)
        right = key_of(process, HUB_RATING)
        other = right[:-1] + ("0" if right[-1] != "0" else "1")
        for wrong in (other, right.replace("hub_rating", "hub_ratings")):
            with pytest.raises(UnknownDelivery) as unknown:
                story(process, wrong)
            assert right in str(unknown.value.hint), wrong
        with pytest.raises(UnknownDelivery) as unknown:
            story(process, "2026-07/hotline_rating")
        with pytest.raises(BadInput) as no_key:
            story(process, "hotline")

    assert unknown.value.hint == "The ledger knows no hotline_rating of 2026-07. It knows 2026-10."
    assert "Keys look like" in str(no_key.value.hint)


def test_every_outcome_has_a_meaning() -> None:
    assert MEANINGS.keys() == {None, *Outcome}
