from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.nondiscriminatory_access import NONDISCRIMINATORY_ACCESS
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.domain.routes import GUIDE_CORRECTION, GUIDE_PATHS, GUIDE_PREFIX, Routes

if TYPE_CHECKING:
    from report_service.domain.kinds import Kind

GUIDE = Routes.of(prefix=GUIDE_PREFIX, paths=GUIDE_PATHS, correction=GUIDE_CORRECTION)
HUB, POINT = "191e7db7-1bea-44db-9e52-2ddab118d699", "38032faa-7d39-47d2-a8cf-7408f3f23258"
VALUES = {"hub_id": HUB, "point_id": POINT, "provider_group": "DEVFL", "month": "10-2026", "obelis_id": "r/1"}
PREFIX = "/ocpi/bob/2.2/debob-reports"


@pytest.mark.parametrize(
    ("kind", "create", "correct"),
    [
        (HOTLINE_RATING, "/hotline-ratings", "/hotline-ratings/10-2026"),
        (
            NONDISCRIMINATORY_ACCESS,
            "/nondiscriminatory-access",
            "/nondiscriminatory-access/DEVFL/10-2026",
        ),
        (HUB_RATING, f"/charginghub/{HUB}/ratings", f"/charginghub/{HUB}/ratings/10-2026"),
        (AD_HOC_TARIFF, f"/charginghub/{HUB}/ad-hoc-tariff", f"/charginghub/{HUB}/ad-hoc-tariff/10-2026"),
        (
            POINT_RATING,
            f"/charginghub/{HUB}/chargingpoint/{POINT}/ratings",
            f"/charginghub/{HUB}/chargingpoint/{POINT}/ratings/10-2026",
        ),
    ],
)
def test_the_guides_paths_are_the_ones_of_the_guide(kind: Kind, create: str, correct: str) -> None:
    assert Routes.fill(GUIDE.create[kind], VALUES) == PREFIX + create
    assert Routes.fill(GUIDE.correct[kind], VALUES) == PREFIX + correct


def test_the_paths_of_0_9_need_nothing_but_other_templates() -> None:
    routes = Routes.of(
        prefix="",
        paths={**GUIDE_PATHS, POINT_RATING: "/locations/{hub_id}/evses/{point_id}/ratings"},
        correction="/{obelis_id}",
    )
    path = f"/locations/{HUB}/evses/{POINT}/ratings"
    assert Routes.fill(routes.create[POINT_RATING], VALUES) == path
    assert Routes.fill(routes.correct[POINT_RATING], VALUES) == f"{path}/r%2F1"


def test_a_value_that_is_missing_is_an_error_and_not_a_hole() -> None:
    with pytest.raises(KeyError, match="point_id"):
        Routes.fill(GUIDE.create[POINT_RATING], {"hub_id": HUB})


@pytest.mark.parametrize(
    "path",
    [
        "",
        f"{PREFIX}/charginghub/{HUB}/ratings/",
        f"{PREFIX}/charginghub/{HUB}/{POINT}/ratings",
        f"{PREFIX}/charginghub//ratings",
        f"x{PREFIX}/charginghub/{HUB}/ratings",
        f"/ocpi/bob/2x2/debob-reports/charginghub/{HUB}/ratings",  # a dot is a dot
        f"{PREFIX}/charginghub/{HUB}/ratings\n",
    ],
)
def test_a_path_of_another_form_does_not_match(path: str) -> None:
    assert Routes.match(GUIDE.create[HUB_RATING], path) is None


@given(hub_id=st.text(min_size=1), point_id=st.text(min_size=1))
def test_what_was_filled_in_is_found_again_and_never_makes_another_path(hub_id: str, point_id: str) -> None:
    template = GUIDE.create[POINT_RATING]
    values = {"hub_id": hub_id, "point_id": point_id}
    path = Routes.fill(template, values)
    assert path.count("/") == template.count("/")
    assert path.isascii()
    assert Routes.match(template, path) == values
