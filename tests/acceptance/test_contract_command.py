"""`report-service contract`, and what `obelis.openapi` forbids, as an operator meets them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import yaml

from tests.support.openapi_document import BASIS, PATHS, PREFIX, matching, post, schema
from tests.support.processes import DUE

if TYPE_CHECKING:
    from pathlib import Path

    from report_service.mock_api.operator import Row
    from tests.acceptance.conftest import StartMock
    from tests.support.openapi_document import Tree
    from tests.support.processes import Cli


def written(folder: Path, tree: Tree) -> Path:
    for body in ("NondiscriminatoryAccess", "NondiscriminatoryAccessCorrection"):
        schema(tree, body)["properties"].pop("providerGroup", None)  # the made-up operator has groups of its own
        schema(tree, body)["properties"]["providerGroup"] = {"type": "string"}
    file = folder / "openapi.yaml"
    file.write_text(yaml.safe_dump(tree), encoding="utf-8")
    return file


def test_a_file_that_matches_is_a_success(sqlite_cli: Cli) -> None:
    file = written(sqlite_cli.folder, matching())

    done = sqlite_cli("contract", file)

    assert (done.code, done.err) == (0, "")
    assert done.out == "openapi.yaml: 10 of 10 operations found and compared; they take what the service sends.\n"


def test_what_the_api_would_refuse_is_told_with_the_way_out(sqlite_cli: Cli) -> None:
    tree = matching()
    post(tree, "HotlineRating")["parameters"].append({"name": "X-Tenant", "in": "header", "required": True})
    file = written(sqlite_cli.folder, tree)

    done, asked = sqlite_cli("contract", file), sqlite_cli("contract", file, "--json")

    assert (done.code, asked.code) == (3, 3)
    assert "! header missing: X-Tenant\n    must be sent, and is not\n    in POST hotline_rating\n" in done.out
    assert '[obelis.headers]\nX-Tenant = "..."\n' in done.out
    assert done.out.endswith("1 finding would make the API refuse something.\n")
    assert json.loads(asked.out)["findings"] == [
        {
            "kind": "header_missing",
            "breaks": True,
            "subject": "X-Tenant",
            "detail": "must be sent, and is not",
            "operations": ["POST hotline_rating"],
            "hint": "Set it as below.",
        }
    ]


def test_a_file_that_is_none_is_refused(sqlite_cli: Cli) -> None:
    done = sqlite_cli("contract", "none.yaml")

    assert done.code == 2
    assert done.err.startswith("Error: none.yaml: it cannot be read: No such file or directory\n  -> ")


def test_what_the_file_forbids_is_invalid_and_never_sent(cli: Cli, figures: dict[str, list[Row]]) -> None:
    tree = matching()
    schema(tree, "HotlineRating")["properties"]["hotlineCalls"] = {"type": "integer", "maximum": 0}
    schema(tree, "AdHocTariff")["properties"]["contractualBasis"] = BASIS
    schema(tree, "AdHocTariff")["required"].append("contractualBasis")
    del tree["paths"][f"{PREFIX}/nondiscriminatory-access"]
    file = written(cli.folder, tree)
    basis = {"contractual_basis": "ROAMING_CONTRACT"}
    tariffs = [figures["ad-hoc-tariffs"][0], *(row | basis for row in figures["ad-hoc-tariffs"][1:])]
    cli.stock(figures | {"ad-hoc-tariffs": tariffs})

    done = cli.using(OBELIS__OPENAPI=file)("run")

    assert done.code == 3
    assert cli.states() == {"accepted": DUE - 4, "invalid": 4}
    reasons = {report["key"].split("/")[1]: report["reason"] for report in cli.status()["outstanding"]}
    assert reasons["hotline_rating"] == f"against {file}: hotlineCalls must keep to maximum 0"
    assert reasons["ad_hoc_tariff"] == f"against {file}: contractualBasis must be given"
    assert reasons["nondiscriminatory_access"].startswith(
        f"{file} describes no POST {PREFIX}/nondiscriminatory-access that takes JSON: `report-service contract"
    )
    assert cli("run").code == 0  # without the file nothing is forbidden


def test_a_correction_that_the_file_forbids_is_shown_and_never_sent(
    sqlite_cli: Cli, figures: dict[str, list[Row]], start_mock: StartMock
) -> None:
    tree = matching()
    calls = schema(tree, "HotlineRatingCorrection")["properties"]
    calls["hotlineCalls"] = {"type": "integer", "maximum": 10}
    del tree["paths"][f"{PREFIX}{PATHS['HubRating']}/{{month}}"]
    file, mock = written(sqlite_cli.folder, tree), start_mock()
    cli = sqlite_cli.using(**mock.settings, OBELIS__OPENAPI=file)
    cli.stock(figures)
    assert cli("run").code == 0
    hub, tariff = figures["hub-ratings"][0], figures["ad-hoc-tariffs"][0]
    cli.stock(
        {
            "hotline-ratings": [figures["hotline-ratings"][0] | {"hotline_calls": 11}],
            "hub-ratings": [hub | {"rating": 6}],
            "ad-hoc-tariffs": [tariff | {"cost_ct_per_kwh": 77}],
        }
    )

    shown, done = cli("correct", "--dry-run"), cli("correct", "--yes", "--json")

    assert (shown.code, done.code) == (3, 3)
    assert f"  ! not to be sent: against {file}: hotlineCalls must keep to maximum 10\n" in shown.out
    assert f"  ! not to be sent: {file} describes no PUT {PREFIX}/charginghub/" in shown.out
    told = {one["key"].split("/")[1]: one for one in json.loads(done.out)["reports"]}
    assert {kind: one["corrected"] for kind, one in told.items()} == {
        "hotline_rating": False,
        "hub_rating": False,
        "ad_hoc_tariff": True,
    }
    assert told["hotline_rating"]["reason"].endswith("hotlineCalls must keep to maximum 10")
    assert [line["key"].split("/")[1] for line in mock.lines() if line.get("method") == "PUT"] == ["ad_hoc_tariff"]


def test_a_file_that_cannot_be_used_stops_the_service_at_start(sqlite_cli: Cli) -> None:
    file = sqlite_cli.folder / "openapi.yaml"
    file.write_text("swagger: 2.0\n")

    done = sqlite_cli.using(OBELIS__OPENAPI=file)("run")

    assert done.code == 2
    assert done.err.startswith(f"Error: obelis.openapi: {file}: it is no OpenAPI 3.0 or 3.1 description")
