"""An OpenAPI file against what the service sends: each difference is one finding, and nothing else is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from report_service.bootstrap.commands import compare_contract
from report_service.errors import BadInput
from report_service.settings import load_settings
from tests.support.openapi_document import BASIS, PATHS, PREFIX, Tree, matching, post, rename, schema

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from report_service.domain.contract import Comparison

VERSIONS = ["3.0.3", "3.1.0"]


def compared(tmp_path: Path, tree: Tree, **settings: str) -> Comparison:
    """Return what comparing a file with the service in mock mode comes to."""
    file = tmp_path / "openapi.yaml"
    file.write_text(yaml.safe_dump(tree), encoding="utf-8")
    environ = {f"REPORT_SERVICE_OBELIS__{name}": value for name, value in {"MODE": "mock", **settings}.items()}
    return compare_contract(load_settings(None, environ, default_files=()), file)


def told(found: Comparison) -> list[tuple[str, str]]:
    return [(finding.kind.value, finding.subject) for finding in found.findings]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_matching_file_has_no_finding(tmp_path: Path, version: str) -> None:
    found = compared(tmp_path, matching(version))

    assert told(found) == []
    assert (found.operations, found.settings, found.fits) == (10, "", True)


def test_json_is_read_as_well_as_yaml(tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(matching()), encoding="utf-8")

    assert compare_contract(
        load_settings(None, {"REPORT_SERVICE_OBELIS__MODE": "mock"}, default_files=()), file
    ).fits


@pytest.mark.parametrize("version", VERSIONS)
def test_five_changes_are_five_findings(tmp_path: Path, version: str) -> None:
    tree = matching(version)
    rename(tree, "/charginghub/", "/locations/")
    schema(tree, "PointRating")["properties"]["operatorId"] = {"type": "string"}
    schema(tree, "PointRating")["required"].append("operatorId")
    schema(tree, "NondiscriminatoryAccess")["properties"]["contractualBasis"]["enum"] = ["ROAMING_CONTRACT"]
    post(tree, "HotlineRating")["parameters"].append({"name": "X-Tenant", "in": "header", "required": True})
    del tree["paths"][f"{PREFIX}/hotline-ratings/{{month}}"]

    found = compared(tmp_path, tree)

    assert told(found) == [
        ("path_renamed", "paths"),
        ("correction_missing", "corrections"),
        ("field_missing", "operatorId"),
        ("field_narrowed", "contractualBasis"),
        ("header_missing", "X-Tenant"),
    ]
    renamed, correction, field, narrowed, header = found.findings
    assert renamed.operations == ("POST hub_rating", "POST ad_hoc_tariff", "POST point_rating")
    assert f"the nearest is POST {PREFIX}/locations/{{charginghubId}}/ratings" in renamed.detail
    assert correction.operations == ("PUT hotline_rating",)
    assert (field.operations, field.detail) == (("POST point_rating",), "must be given")
    assert narrowed.detail == "must be one of ROAMING_CONTRACT"
    assert header.operations == ("POST hotline_rating",)
    assert found.settings == (
        "[obelis.paths]\n"
        'hub_rating = "/locations/{hub_id}/ratings"\n'
        'ad_hoc_tariff = "/locations/{hub_id}/ad-hoc-tariff"\n'
        'point_rating = "/locations/{hub_id}/chargingpoint/{point_id}/ratings"\n\n'
        '[obelis.headers]\nX-Tenant = "..."'
    )


def test_the_settings_that_it_prints_adapt_the_service(tmp_path: Path) -> None:
    tree = matching()
    rename(tree, PREFIX, "/v2/reports")
    rename(tree, "chargingpoint", "evses")
    rename(tree, "/{month}", "/months/{period}")

    found = compared(tmp_path, tree)

    assert told(found)[0] == ("path_renamed", "paths")
    config = tmp_path / "report-service.toml"
    config.write_text(f'[obelis]\nmode = "mock"\n{found.settings}\n', encoding="utf-8")
    adapted = compare_contract(load_settings(config, {}, default_files=()), tmp_path / "openapi.yaml")
    assert told(adapted) == []


def _change(name: str, field: str, **schema_: object) -> Callable[[Tree], object]:
    return lambda tree: schema(tree, name)["properties"][field].update(schema_)


@pytest.mark.parametrize(
    ("change", "finding", "operations"),
    [
        (
            lambda tree: schema(tree, "HubRating")["properties"].pop("rating"),
            ("field_undefined", "rating"),
            ("POST hub_rating",),
        ),
        (
            lambda tree: schema(tree, "AdHocTariff")["required"].append("operatorId"),
            ("field_undefined", "operatorId"),
            ("POST ad_hoc_tariff",),
        ),
        (
            lambda tree: schema(tree, "AdditionalCost")["properties"].pop("description"),
            ("field_undefined", "additionalCosts[].description"),
            tuple(
                f"{verb} {kind}"
                for kind in ("nondiscriminatory_access", "ad_hoc_tariff")
                for verb in ("POST", "PUT")
            ),
        ),
        (
            lambda tree: schema(tree, "NondiscriminatoryAccess")["properties"].pop("reasoningDifferentCosts"),
            ("field_gone", "reasoningDifferentCosts"),
            ("POST nondiscriminatory_access",),
        ),
        (
            lambda tree: schema(tree, "HubRating")["properties"].update(comment={"type": "string"}),
            ("field_new", "comment"),
            ("POST hub_rating",),
        ),
        (_change("HotlineRating", "asa", maximum=60), ("field_narrowed", "asa"), ("POST hotline_rating",)),
        (_change("AdHocTariff", "cost", type="string"), ("field_type", "cost"), ("POST ad_hoc_tariff",)),
        (
            lambda tree: post(tree, "HubRating")["parameters"].append(
                {"name": "v", "in": "query", "required": True}
            ),
            ("query_missing", "v"),
            ("POST hub_rating",),
        ),
        (lambda tree: post(tree, "HubRating").pop("requestBody"), ("body_missing", ""), ("POST hub_rating",)),
    ],
)
def test_each_difference_is_one_finding(
    tmp_path: Path, change: Callable[[Tree], object], finding: tuple[str, str], operations: tuple[str, ...]
) -> None:
    tree = json.loads(json.dumps(matching()))  # nothing in it is shared
    change(tree)

    found = compared(tmp_path, tree)

    assert [(kind, subject) for kind, subject in told(found)] == [
        (finding[0], finding[1] or f"POST {PREFIX}{PATHS['HubRating']}")
    ]
    assert found.findings[0].operations == operations
    assert found.fits is (finding[0] == "field_new")


@pytest.mark.parametrize(
    ("defined", "rule"),
    [(True, "must be given"), (False, "must be given, and is described nowhere")],  # as version 0.9 has it
)
def test_the_basis_of_an_ad_hoc_tariff_is_a_matter_of_the_operators_column(
    tmp_path: Path, *, defined: bool, rule: str
) -> None:
    tree = json.loads(json.dumps(matching()))
    wanted = schema(tree, "AdHocTariff")
    if defined:
        wanted["properties"]["contractualBasis"] = BASIS
        assert told(compared(tmp_path, tree)) == []

    wanted["required"].append("contractualBasis")
    found = compared(tmp_path, tree)

    assert (told(found), found.fits) == ([("column_wanted", "contractualBasis")], True)
    assert found.findings[0].detail == f"{rule}: the optional column contractual_basis of ad-hoc-tariffs"


def test_a_path_that_nothing_is_like_is_missing(tmp_path: Path) -> None:
    tree = matching()
    for path in [path for path in tree["paths"] if "hotline" in path]:
        del tree["paths"][path]

    found = compared(tmp_path, tree)

    assert told(found) == [("path_missing", "paths")]
    assert (found.operations, found.settings) == (8, "")


def test_a_key_that_must_be_sent_to_sign_in_is_a_header(tmp_path: Path) -> None:
    tree = matching()
    tree["components"]["securitySchemes"]["key"] = {"type": "apiKey", "in": "header", "name": "X-Api-Key"}
    tree["security"] = [{"bearer": [], "key": []}]

    assert told(compared(tmp_path, tree)) == [("header_missing", "X-Api-Key")]
    assert told(compared(tmp_path, tree, HEADERS__X_API_KEY="k")) == []
    tree["security"].append({"bearer": []})
    assert told(compared(tmp_path, tree)) == []


def test_the_form_of_date_times_is_proposed(tmp_path: Path) -> None:
    tree = json.loads(json.dumps(matching()))
    for name in ("AdHocTariff", "NondiscriminatoryAccess"):
        for end in ("validFrom", "validTo"):
            schema(tree, name)["properties"][end] = {"type": "string", "pattern": r"^[0-9-]{10}T[0-9:]{8}Z$"}

    found = compared(tmp_path, tree)

    assert told(found) == [("field_form", "validFrom"), ("field_form", "validTo")]
    assert found.settings == '[obelis]\ndatetime_format = "seconds"'
    assert compared(tmp_path, tree, DATETIME_FORMAT="seconds").fits


def test_paths_may_be_split_between_server_and_file(tmp_path: Path) -> None:
    tree = matching()
    rename(tree, "/ocpi/bob/2.2", "")
    tree["servers"] = [{"url": "https://api.example/ocpi/bob/2.2/"}]
    assert told(compared(tmp_path, tree)) == []

    del tree["servers"]
    assert told(compared(tmp_path, tree)) == []


HTTP = {
    "MODE": "http",
    "TOKEN_URL": "https://api.example/token",
    "CLIENT_ID": "i",
    "CLIENT_SECRET": "s",
    "CPO_ID": "c",
}


@pytest.mark.parametrize(
    ("base_url", "finds"),
    [("https://api.example", []), ("https://qa.example", [("server_differs", "servers")])],
)
def test_a_file_about_another_host_is_worth_knowing(
    tmp_path: Path, base_url: str, finds: list[tuple[str, str]]
) -> None:
    found = compared(tmp_path, matching(), BASE_URL=base_url, **HTTP)

    assert (told(found), found.fits) == (finds, True)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("openapi: 2.0\npaths: {}", "no OpenAPI 3.0 or 3.1 description (openapi: 2.0)"),
        ("[1]", "it holds no object"),
        ("a: [", "neither YAML nor JSON"),
        ("{", "neither YAML nor JSON"),
        ('openapi: 3.0.0\npaths: {/x: {$ref: "other.yaml#/x"}}', "other.yaml#/x, which lies outside"),
        ('openapi: 3.0.0\npaths: {/x: {$ref: "#/nowhere"}}', "#/nowhere, which is not in it"),
        ('openapi: 3.0.0\npaths: {/x: {$ref: "#/paths/~1x"}}', "leads in a circle"),
    ],
)
def test_what_is_no_usable_file_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "openapi.yaml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(BadInput, match=r"openapi\.yaml: ") as refused:
        compare_contract(load_settings(None, {"REPORT_SERVICE_OBELIS__MODE": "mock"}, default_files=()), file)

    assert says in refused.value.message
    assert refused.value.hint


def test_a_schema_that_holds_itself_ends(tmp_path: Path) -> None:
    tree = matching()
    schema(tree, "AdditionalCost")["properties"]["more"] = {"$ref": "#/components/schemas/AdditionalCost"}

    assert {finding.kind for finding in compared(tmp_path, tree).findings} == {"field_new"}
