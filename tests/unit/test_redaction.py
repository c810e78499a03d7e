from __future__ import annotations

import base64
import html
import json
import threading
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from report_service.logs.redaction import REDACTED, Redactor

SECRET = 'p&ss "wörd"/+\\1'
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJjcG8ifQ.c2lnbmF0dXJl"


@pytest.mark.parametrize(
    "written",
    [
        SECRET,
        quote(SECRET),
        quote(SECRET, safe=""),
        quote(SECRET, safe="").lower(),
        quote_plus(SECRET),
        json.dumps(SECRET),
        json.dumps(SECRET, ensure_ascii=False),
        repr(SECRET),
        repr(SECRET.encode()),
        html.escape(SECRET),
        base64.b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode(),
        base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="),
    ],
)
def test_a_known_secret_is_found_however_it_is_written(written: str) -> None:
    clean = Redactor([SECRET])(f"before {written} after")
    assert written.strip("\"'=") not in clean
    assert clean.startswith("before ")
    assert clean.endswith(" after")
    assert REDACTED in clean


@given(
    secret=st.text(st.characters(exclude_categories=["Cs"]), min_size=8).map(str.strip),
    before=st.text(),
    after=st.text(),
)
def test_a_known_secret_is_found_within_longer_base64(secret: str, before: str, after: str) -> None:
    if len(secret) < 8:
        return
    whole = base64.b64encode(f"{before}:{secret}:{after}".encode()).decode()
    assert REDACTED in Redactor([secret])(whole)


@given(st.text(), st.text(min_size=4).filter(lambda text: len(text.strip()) >= 4), st.text())
def test_a_known_secret_never_survives_in_the_plain(before: str, secret: str, after: str) -> None:
    rest = Redactor([secret])(f"{before}{secret}{after}").replace(REDACTED, "\0")
    assert secret.strip() not in rest


def test_surrounding_space_is_no_part_of_a_secret() -> None:
    assert Redactor(["hunter2-hunter2\n"])("is hunter2-hunter2 it") == f"is {REDACTED} it"


@pytest.mark.parametrize("short", ["", "a", "abc"])
def test_what_is_too_short_to_be_secret_blots_nothing_out(short: str) -> None:
    assert Redactor([short])("a quick abc") == "a quick abc"


def test_a_secret_within_another_leaves_no_rest_of_it() -> None:
    assert Redactor(["hunter2", "hunter2-and-more"])("hunter2-and-more") == REDACTED


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Authorization: Bearer abc.def-1", "Authorization: [redacted]"),
        ("sent Bearer abc~def+/=, got 401", "sent Bearer [redacted], got 401"),
        ("bearer%20abcdef&x=1", "bearer%20[redacted]&x=1"),
        ("(b'Authorization', b'Bearer abc')", "(b'Authorization', b'Bearer [redacted]')"),
        ("Proxy-Authorization: Basic dXNlcjpwdw==", "Proxy-Authorization: [redacted]"),
        (f"the token was {JWT}.", f"the token was {REDACTED}"),
        (f"cut: {JWT[:15]}", f"cut: {REDACTED}"),
        ("postgresql+psycopg://user:pw@db:5432/x", "postgresql+psycopg://[redacted]@db:5432/x"),
        ("postgresql://user:p/w@db/x", "postgresql://[redacted]@db/x"),
        ("postgresql://user:p@w@db/x", "postgresql://[redacted]@db/x"),
        ("https://token-only@host/path", "https://[redacted]@host/path"),
        ("https://host/p?token=abc&month=10", "https://host/p?token=[redacted]&month=10"),
        ("client_secret=abc, cpo_id=DEABC", "client_secret=[redacted], cpo_id=DEABC"),
        ("clientSecret: abc", "clientSecret: [redacted]"),
        ("REPORT_SERVICE_OBELIS__CLIENT_SECRET=abc", "REPORT_SERVICE_OBELIS__CLIENT_SECRET=[redacted]"),
        ("client_secret='a b'", "client_secret='[redacted]'"),
        ("token=b'a b'", "token=b'[redacted]'"),
        ('{"token": "abc", "expires_in": 3600}', '{"token": "[redacted]", "expires_in": 3600}'),
        ('{"client_secret":"a\\"b","x":1}', '{"client_secret":"[redacted]","x":1}'),
        ('{\\"token\\": \\"abc\\", \\"n\\": 1}', '{\\"token\\": \\"[redacted]\\", \\"n\\": 1}'),
        ('{"password": 1234, "x": 1}', '{"password": [redacted], "x": 1}'),
        ("{'access_token': 'abc'", "{'access_token': '[redacted]'"),
        ('{"token": "cut of', '{"token": "[redacted]'),
        ("host=db password=abc user=me", "host=db password=[redacted] user=me"),
        ("Set-Cookie: a=b; Path=/\nDate: x", "Set-Cookie: [redacted]\nDate: x"),
    ],
)
def test_what_has_the_shape_of_a_secret_is_taken_out(text: str, clean: str) -> None:
    assert Redactor()(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "no token: connection refused",
        "the bearer token was refused",
        "client_secret is missing: set it in client_secret_file",
        "client_secret_file=/run/secrets/client_secret",
        "token_url=https://api.example/token",
        "https://host:8080/a?mail=a@b",
        "see https://host/a/b, or write to a@b",
        "hubs.csv, row 3, column rating: 7 is not in 1..6",
        "eyJ",
        "Grüße",
        "",
    ],
)
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert Redactor(["hunter2-hunter2"])(text) == text


def test_redacting_twice_changes_nothing_more() -> None:
    redact = Redactor([SECRET])
    once = redact(f'{{"token": "{JWT}"}} https://a:b@c {SECRET}')
    assert redact(once) == once


def test_a_learnt_secret_is_redacted_from_then_on() -> None:
    redact = Redactor(["configured"])
    assert redact("opaque-7 configured") == f"opaque-7 {REDACTED}"
    redact.learn("opaque-7")
    redact.learn("opaque-7")
    assert redact("opaque-7 configured") == f"{REDACTED} {REDACTED}"


def test_only_the_latest_learnt_secrets_are_kept_and_the_configured_ones_always() -> None:
    redact = Redactor(["configured"])
    for number in range(9):
        redact.learn(f"opaque-{number}")
    assert redact("opaque-0 opaque-1 opaque-8 configured") == f"opaque-0 {REDACTED} {REDACTED} {REDACTED}"


def test_secrets_learnt_by_several_threads_are_all_kept() -> None:
    redact = Redactor()
    threads = [threading.Thread(target=redact.learn, args=(f"opaque-{number}",)) for number in range(8)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert redact(" ".join(f"opaque-{number}" for number in range(8))) == " ".join([REDACTED] * 8)


@given(st.text())
def test_text_that_looks_clean_is_clean(text: str) -> None:
    redact = Redactor(["hunter2-hunter2"])
    assert redact.finds(text) or redact(text) == text
