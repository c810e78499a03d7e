from __future__ import annotations

import pytest

from report_service.domain.secrecy import forms_of, secrets_in_url


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("postgresql+psycopg://user:hunter2@db:5432/x", {"hunter2"}),
        ("postgresql://user:p%40ss%2Fword@db/x", {"p%40ss%2Fword", "p@ss/word"}),
        ("postgresql://user:a@b:c/d@db/x", {"a@b:c/d"}),
        ("postgresql://db/x?user=u&password=hunter2&sslmode=require", {"hunter2"}),
        ("https://api.invalid/token?code=hunter2&tenant=abc#code=no", {"hunter2"}),
        ("postgresql://user@db:5432/x", set()),
        ("sqlite:////data/a:b@c.sqlite3", set()),
        ("no URL", set()),
    ],
)
def test_what_is_secret_in_a_url_is_known(url: str, secrets: set[str]) -> None:
    assert set(secrets_in_url(url)) == secrets


def test_the_longest_form_comes_first_so_that_none_is_cut_by_a_part_of_itself() -> None:
    table_schemas = forms_of(["hunter2", "hunter2 and more"])
    assert table_schemas.index("hunter2 and more") < table_schemas.index("hunter2")
    assert [len(form) for form in table_schemas] == sorted(map(len, table_schemas), reverse=True)


def test_what_is_too_short_has_no_form() -> None:
    assert forms_of(["", "abc", " abc "]) == ()
