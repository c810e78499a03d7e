from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import text

from report_service.adapters.db.intake import SqlIntake
from report_service.adapters.db.source import SqlSource
from report_service.adapters.table_files import table_files
from report_service.adapters.wire import Wire
from report_service.domain.kinds.ad_hoc_tariff import AD_HOC_TARIFF
from report_service.domain.kinds.hub_rating import HUB_RATING
from report_service.domain.months import ReportMonth
from report_service.domain.reports import Report, read_report
from report_service.domain.routes import GUIDE_CORRECTION, GUIDE_PATHS, GUIDE_PREFIX, Routes
from report_service.domain.table_schemas import TABLE_SCHEMAS
from report_service.errors import BadInput
from report_service.services.import_files import import_files
from tests.support.fakes import FakeClock

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from report_service.adapters.db.engine import Store
    from report_service.services.import_files import Imported

HUB = "191e7db7-1bea-44db-9e52-2ddab118d699"
OTHER_HUB = "2a2e7db7-1bea-44db-9e52-2ddab118d699"
FILES = {
    "hubs": f"hub_id,name,commissioned_on,decommissioned_on\n{HUB},Coswig,2025-01-01,\n",
    "points": (
        f"point_id,hub_id,evse_id,commissioned_on,decommissioned_on\n{OTHER_HUB},{HUB},DE*ABC*E1,2025-01-01,\n"
    ),
    "provider-groups": "provider_group,valid_from,valid_to\nDEVFL,,\n",
    "hotline-ratings": "month,hotline_calls,fcr_rate,asa_seconds,rating\n2026-10,120,0.93,12.5,1.8\n",
    "nondiscriminatory-access": (
        "month,provider_group,cost_ct_per_kwh,additional_costs,valid_from,valid_to,contractual_basis,"
        "reasoning_different_costs\n"
        '2026-10,DEVFL,45,"[{""description"": ""parking"", ""cost"": 50}]",2026-10-01T00:00:00+02:00,2026-11-01,'
        'ROAMING_CONTRACT,"Volume,\nlarge"\n'
    ),
    "hub-ratings": f"month,hub_id,rating\n2026-10,{HUB},2.5\n",
    "ad-hoc-tariffs": (
        f"month,hub_id,cost_ct_per_kwh,additional_costs,valid_from,valid_to\n2026-10,{HUB},59,,2026-10-01,2026-11-01\n"
    ),
    "point-ratings": f"month,point_id,rating,total_complaints\n2026-10,{OTHER_HUB},2,3\n",
    "waivers": "key,reason,declared_by\n2026-10/hotline_rating,no calls,A. Person\n",
}


def take_in(
    store: Store,
    folder: Path,
    files: Mapping[str, str],
    fixed: Mapping[str, Mapping[str, object]] | None = None,
    *,
    replace: bool = False,
) -> list[Imported]:
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content)
    found, _ = table_files([folder / f"{name}.csv" for name in files], ZoneInfo("Europe/Berlin"))
    return list(import_files(found, SqlIntake(store, fixed or {}), progress=lambda read: None, replace=replace))


def rows(store: Store, query: str) -> list[tuple[object, ...]]:
    with store.read() as connection:
        return [tuple(row) for row in connection.execute(text(query))]


def test_every_table_takes_its_file(store: Store, tmp_path: Path) -> None:
    fixed = {"waivers": {"cpo_id": "MOCK", "declared_at": datetime(2026, 11, 1, tzinfo=UTC)}}

    found = take_in(store, tmp_path, FILES, fixed)

    assert [(one.table, one.rows, one.stored, one.problem, one.faults, one.warnings) for one in found] == [
        (name, 1, True, None, [], []) for name in FILES
    ]
    for name in FILES:
        assert rows(store, f"SELECT count(*) FROM {name.replace('-', '_')}") == [(1,)]
    assert rows(store, "SELECT additional_costs, reasoning_different_costs FROM nondiscriminatory_access") == [
        ('[{"description": "parking", "cost": 50}]', "Volume,\nlarge")
    ]
    assert rows(store, "SELECT cpo_id, key, declared_by FROM waivers") == [
        ("MOCK", "2026-10/hotline_rating", "A. Person")
    ]


def test_a_row_with_a_known_key_replaces_what_is_there(store: Store, tmp_path: Path) -> None:
    header = "month,hub_id,rating\n"
    take_in(store, tmp_path, {"hub-ratings": f"{header}2026-10,{HUB},2\n2026-10,{OTHER_HUB},3\n"})

    take_in(store, tmp_path, {"hub-ratings": f"{header}2026-10,{HUB.upper()},4\n2026-09,{HUB},1\n"})

    assert rows(store, "SELECT month, hub_id, CAST(rating AS TEXT) FROM hub_ratings ORDER BY month, hub_id") == [
        ("2026-09", HUB, "1"),
        ("2026-10", HUB, "4"),
        ("2026-10", OTHER_HUB, "3"),
    ]


def test_a_tariff_may_name_its_basis_and_a_file_without_the_column_says_that_there_is_none(
    store: Store, tmp_path: Path
) -> None:
    header, row = FILES["ad-hoc-tariffs"].splitlines()
    with_basis = f"contractual_basis,{header}\nROAMING_CONTRACT,{row}\n"
    for content, basis in ((with_basis, "ROAMING_CONTRACT"), (FILES["ad-hoc-tariffs"], None)):
        (found,) = take_in(store, tmp_path, {"ad-hoc-tariffs": content})

        assert (found.stored, found.warnings) == (True, [])
        assert rows(store, "SELECT contractual_basis FROM ad_hoc_tariffs") == [(basis,)]


def test_a_form_that_is_not_filled_in_undoes_nothing(store: Store, tmp_path: Path) -> None:
    header = "month,hub_id,rating\n"
    take_in(store, tmp_path, {"hub-ratings": f"{header}2026-10,{HUB},2\n"})

    (again,) = take_in(store, tmp_path, {"hub-ratings": f"{header}2026-10,{HUB},\n2026-10,{OTHER_HUB},3\n"})

    assert (again.stored, again.rows, again.blank, again.gone) == (True, 2, 1, [])
    assert rows(store, "SELECT hub_id, CAST(rating AS TEXT) FROM hub_ratings ORDER BY hub_id") == [
        (HUB, "2"),
        (OTHER_HUB, "3"),
    ]


def test_several_rows_for_one_report_make_it_invalid_until_one_is_left(store: Store, tmp_path: Path) -> None:
    header, month = "month,hub_id,rating\n", ReportMonth(2026, 10)
    several = f"{header}2026-10,{HUB},2\n2026-10,{OTHER_HUB},3\n2026-10,{HUB},5\n"

    (found,) = take_in(store, tmp_path, {"hub-ratings": several})
    source = SqlSource(store, {}, clock=FakeClock())
    refused, good = sorted(source.rows(HUB_RATING, month), key=lambda row: str(row["hub_id"]))
    report = read_report(HUB_RATING, month, refused, hub_id=None)
    take_in(store, tmp_path, {"hub-ratings": f"{header}2026-10,{HUB},5\n"})

    assert found.stored
    assert isinstance(report, tuple)
    assert str(report[0]).startswith("month = 2026-10: ")
    assert str(report[0]).endswith("hub-ratings.csv has several rows for this report (lines 2, 4): leave one")
    assert (good["hub_id"], good["rating"], good["conflict"]) == (OTHER_HUB, "3" if store.is_sqlite else 3, None)
    assert rows(store, f"SELECT CAST(rating AS TEXT), conflict FROM hub_ratings WHERE hub_id = '{HUB}'") == [
        ("5", None)
    ]


@pytest.mark.parametrize("replace", [False, True])
def test_what_a_file_no_longer_has_is_told_and_goes_only_when_asked(
    store: Store, tmp_path: Path, replace: bool
) -> None:
    header = "month,hub_id,rating\n"
    take_in(store, tmp_path, {"hub-ratings": f"{header}2026-10,{HUB},2\n2026-10,{OTHER_HUB},3\n2026-09,{HUB},1\n"})

    (again,) = take_in(store, tmp_path, {"hub-ratings": f"{header}2026-10,{HUB},2\n"}, replace=replace)

    left = [] if replace else [("2026-10", OTHER_HUB)]
    assert (again.gone, again.removed) == ([("2026-10", OTHER_HUB)], replace)
    assert rows(store, "SELECT month, hub_id FROM hub_ratings ORDER BY month, hub_id") == [
        ("2026-09", HUB),
        ("2026-10", HUB),
        *left,
    ]


def test_only_waivers_of_the_same_operator_are_replaced(store: Store, tmp_path: Path) -> None:
    header, at = "key,reason,declared_by\n", datetime(2026, 11, 1, tzinfo=UTC)
    of_a, of_b = ({"waivers": {"cpo_id": cpo_id, "declared_at": at}} for cpo_id in ("A", "B"))
    for fixed in (of_a, of_b):
        take_in(store, tmp_path, {"waivers": FILES["waivers"]}, fixed)

    (again,) = take_in(
        store, tmp_path, {"waivers": f"{header}2026-10/hub_rating/{HUB},closed,A. Person\n"}, of_b, replace=True
    )

    assert again.gone == [("2026-10/hotline_rating",)]
    assert rows(store, "SELECT cpo_id, key FROM waivers ORDER BY cpo_id") == [
        ("A", "2026-10/hotline_rating"),
        ("B", f"2026-10/hub_rating/{HUB}"),
    ]


def test_a_waiver_that_is_imported_again_keeps_its_date_until_it_says_something_else(
    store: Store, tmp_path: Path
) -> None:
    said = {"waivers": FILES["waivers"]}
    other = {"waivers": FILES["waivers"].replace("no calls", "line was down")}
    days = []

    for day, files in ((1, said), (2, said), (3, other)):
        take_in(
            store,
            tmp_path,
            files,
            {"waivers": {"cpo_id": "A", "declared_at": datetime(2026, 11, day, tzinfo=UTC)}},
        )
        ((declared_at,),) = rows(store, "SELECT declared_at FROM waivers")
        days.append(str(declared_at)[:10])

    assert days == ["2026-11-01", "2026-11-01", "2026-11-03"]


def test_one_bad_row_among_many_keeps_its_file_out_and_no_other(store: Store, tmp_path: Path) -> None:
    good = "".join(f"2026-10,{uuid.uuid4()},2\n" for _ in range(2500))

    stored, refused = take_in(
        store,
        tmp_path,
        {
            "hub-ratings": f"month,hub_id,rating\n{good}2026-10,{HUB},two\n",
            "provider-groups": FILES["provider-groups"],
        },
    )

    assert (refused.table, refused.rows, refused.stored) == ("hub-ratings", 2501, False)
    assert [str(fault) for fault in refused.faults] == [
        "line 2502: rating = two: must be a number, for example 0.93"
    ]
    assert rows(store, "SELECT count(*) FROM hub_ratings") == [(0,)]
    assert stored.stored
    assert rows(store, "SELECT provider_group FROM provider_groups") == [("DEVFL",)]


def test_a_file_of_several_batches_is_stored_as_a_whole(store: Store, tmp_path: Path) -> None:
    lines = "".join(f"2026-10,{uuid.uuid4()},2\n" for _ in range(2500))

    take_in(store, tmp_path, {"hub-ratings": f"month,hub_id,rating\n{lines}"})

    assert rows(store, "SELECT count(*) FROM hub_ratings") == [(2500,)]


def test_what_fails_while_rows_are_written_leaves_nothing_behind(store: Store) -> None:
    def endless() -> Iterator[dict[str, object]]:
        for _ in range(1500):
            yield {"month": "2026-10", "hub_id": str(uuid.uuid4()), "rating": Decimal(2)}
        raise BadInput("changed")

    with pytest.raises(BadInput):
        SqlIntake(store, {}).upsert(TABLE_SCHEMAS["hub-ratings"], endless())

    assert rows(store, "SELECT count(*) FROM hub_ratings") == [(0,)]


@pytest.mark.parametrize(
    ("month", "validity", "sent"),
    [
        ("2026-03", "2026-03-01,2026-03-31", ("2026-02-28T23:00:00.000Z", "2026-03-31T21:59:59.000Z")),
        ("2026-03", "28.03.2026,29.03.2026", ("2026-03-27T23:00:00.000Z", "2026-03-29T21:59:59.000Z")),
        ("2026-03", "2026-03-29 01:59,2026-03-29 03:00", ("2026-03-29T00:59:00.000Z", "2026-03-29T01:00:00.000Z")),
        ("2026-10", "2026-10-01,2026-10-31", ("2026-09-30T22:00:00.000Z", "2026-10-31T22:59:59.000Z")),
        ("2026-10", "2026-10-25,2026-10-25", ("2026-10-24T22:00:00.000Z", "2026-10-25T22:59:59.000Z")),
        ("2026-10", "2026-10-25 01:59,2026-10-25 03:00", ("2026-10-24T23:59:00.000Z", "2026-10-25T02:00:00.000Z")),
        (
            "2026-10",
            "2026-10-01T00:00Z,2026-11-01T00:00Z",
            ("2026-10-01T00:00:00.000Z", "2026-11-01T00:00:00.000Z"),
        ),
    ],
)
def test_days_and_times_without_a_zone_are_sent_as_berlins_on_both_sides_of_a_change_of_the_clock(
    store: Store, tmp_path: Path, month: str, validity: str, sent: tuple[str, str]
) -> None:
    header = "month,hub_id,cost_ct_per_kwh,additional_costs,valid_from,valid_to\n"
    wire = Wire(Routes.of(prefix=GUIDE_PREFIX, paths=GUIDE_PATHS, correction=GUIDE_CORRECTION))

    take_in(store, tmp_path, {"ad-hoc-tariffs": f"{header}{month},{HUB},59,,{validity}\n"})
    (row,) = SqlSource(store, {}, clock=FakeClock()).rows(AD_HOC_TARIFF, ReportMonth.parse(month))
    report = read_report(AD_HOC_TARIFF, ReportMonth.parse(month), row, hub_id=None)

    assert isinstance(report, Report)
    body = json.loads(wire.create(report).body)
    assert (body["validFrom"], body["validTo"]) == sent
