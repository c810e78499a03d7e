"""A refusal's words say whether the path, the way or the permission is wrong."""

from __future__ import annotations

import pytest

from report_service.domain.access_hints import CHECK_ACCESS, CHECK_PATHS, CHECK_ROUTE, access_hint


@pytest.mark.parametrize(
    "words",
    [
        '{"message":"Missing Authentication Token"}',
        "Missing Authentication Token",
        '{"message":"Invalid key=value pair (missing equal-sign) in Authorization header: \'Bearer ***\'."}',
        "Authorization header requires 'Credential' parameter.",
        '{"message":"no Route matched with those values"}',
    ],
)
def test_what_gateways_say_of_a_path_that_they_do_not_have_leads_to_the_paths_first(words: str) -> None:
    assert access_hint(words) == CHECK_PATHS
    assert access_hint(words).startswith("Check obelis.paths first")


@pytest.mark.parametrize("words", ["<html><head><title>403 Forbidden</title>", "<!DOCTYPE HTML PUBLIC", " <HTML>"])
def test_a_page_leads_to_what_is_on_the_way(words: str) -> None:
    assert access_hint(words) == CHECK_ROUTE


@pytest.mark.parametrize(
    "words",
    ["", '{"message":"Forbidden"}', '{"statusCode":403,"message":"token lacks permission"}', "no permission"],
)
def test_anything_else_is_about_permission(words: str) -> None:
    assert access_hint(words) == CHECK_ACCESS
