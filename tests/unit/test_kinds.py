from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report_service.domain.kinds import KINDS, DeliveryKey
from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hotline_rating import HOTLINE_RATING
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.kinds.nondiscriminatory_access import NONDISCRIMINATORY_ACCESS
from report_service.domain.kinds.point_rating import POINT_RATING
from report_service.domain.months import ReportMonth
from report_service.errors import BadInput

MONTH = ReportMonth(2026, 10)
HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"

KEYS = {
    "2026-10/hotline_rating": DeliveryKey(MONTH, HOTLINE_RATING),
    "2026-10/nondiscriminatory_access/DEVFL": DeliveryKey(MONTH, NONDISCRIMINATORY_ACCESS, "DEVFL"),
    f"2026-10/hub_rating/{HUB}": DeliveryKey(MONTH, HUB_RATING, HUB),
    f"2026-10/ad_hoc_tariff/{HUB}": DeliveryKey(MONTH, AD_HOC_TARIFF, HUB),
    f"2026-10/point_rating/{HUB}": DeliveryKey(MONTH, POINT_RATING, HUB),
}


@pytest.mark.parametrize(("text", "key"), KEYS.items())
def test_a_key_has_the_text_form_of_the_design(text: str, key: DeliveryKey) -> None:
    assert str(key) == text
    assert DeliveryKey.parse(f" {text}\n") == key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-10",
        "2026-10/",
        "hub_rating",
        f"hub_rating/{HUB}",
        "2026-10/hub_rating",  # a hub's report without the hub
        "2026-10/hub_rating/",
        "2026-10/hotline_rating/x",  # the hotline has no subject
        f"2026-10/hub_ratings/{HUB}",
        f"2026-10/HUB_RATING/{HUB}",
        f"2026-13/hub_rating/{HUB}",
        f"/hub_rating/{HUB}",
    ],
)
def test_what_is_no_key_is_refused_with_the_form_to_use(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        DeliveryKey.parse(text)
    assert refused.value.hint is not None


def test_the_refusal_of_a_key_names_the_kinds() -> None:
    with pytest.raises(BadInput, match="'2026-10/rating/x' is not the key of a report") as refused:
        DeliveryKey.parse("2026-10/rating/x")
    assert all(kind.name in str(refused.value.hint) for kind in KINDS)


def test_hotline_and_hubs_are_sent_before_points() -> None:
    assert sorted(KINDS, key=lambda kind: kind.rank) == [
        HOTLINE_RATING,
        NONDISCRIMINATORY_ACCESS,
        HUB_RATING,
        AD_HOC_TARIFF,
        POINT_RATING,
    ]
    assert list(KINDS) == sorted(KINDS, key=lambda kind: kind.rank)


@pytest.mark.parametrize(
    ("written", "key"),
    [
        (f"2026-10/hub_rating/{HUB.upper()}", f"2026-10/hub_rating/{HUB}"),
        (f"2026-10/ad_hoc_tariff/{{{HUB}}}", f"2026-10/ad_hoc_tariff/{HUB}"),
        (f"2026-10/point_rating/{HUB.replace('-', '')}", f"2026-10/point_rating/{HUB}"),
        ("2026-10/nondiscriminatory_access/devfl", "2026-10/nondiscriminatory_access/DEVFL"),
        ("2026-10/hub_rating/Coswig", "2026-10/hub_rating/Coswig"),  # no hub's id: found nowhere
    ],
)
def test_a_key_is_read_in_every_spelling_of_its_subject(written: str, key: str) -> None:
    assert str(DeliveryKey.parse(written)) == key


@given(st.text())
def test_whatever_is_read_as_a_key_is_read_again_as_the_same(text: str) -> None:
    try:
        key = DeliveryKey.parse(f"2026-10/{text}")
    except BadInput:
        return
    assert DeliveryKey.parse(str(key)) == key
