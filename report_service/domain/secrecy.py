"""Where secrets are, and how they are written on their way: the forms that are neither kept nor shown. Pure."""

from __future__ import annotations

import base64
import html
import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, quote, quote_plus, unquote

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SHORTEST = 4
"""A shorter text is no secret, and would blot out ordinary words."""

_PASSWORD = re.compile(r"[^:/?#]*://[^:/?#]*:(?P<password>[^?#]*)@")  # it may hold / and @ that nobody escaped
_SECRET_NAME = re.compile(r"pass|pwd|secret|token|key|code|sig", re.IGNORECASE)


def secrets_in_url(url: str) -> Iterator[str]:
    """Yield the password in a URL, and those values of its query whose names say that they are secret."""
    if found := _PASSWORD.match(url):
        yield from {found["password"], unquote(found["password"])}
    query = url.partition("#")[0].partition("?")[2]
    yield from (value for name, value in parse_qsl(query) if _SECRET_NAME.search(name))


def forms_of(secrets: Iterable[str]) -> tuple[str, ...]:
    """Return every form of the secrets, so ordered that none is cut by a part of itself."""
    found = {form for secret in secrets for form in _forms_of_one(secret.strip())}
    return tuple(sorted(found, key=lambda form: (-len(form), form)))


@lru_cache(maxsize=32)
def _forms_of_one(secret: str) -> frozenset[str]:
    return frozenset(form for form in _written(secret) if len(form) >= SHORTEST <= len(secret))


def _written(secret: str) -> Iterator[str]:
    """Yield a secret as it is, and as URLs, JSON, Python, HTML and base64 write it."""
    data = secret.encode("utf-8", "surrogatepass")
    yield secret
    for quoted in (quote(data, safe=""), quote(data, safe="/"), quote_plus(data)):
        yield quoted
        yield re.sub("%[0-9A-F]{2}", lambda match: match[0].lower(), quoted)
    yield json.dumps(secret)[1:-1]
    yield json.dumps(secret, ensure_ascii=False)[1:-1]
    yield repr(secret)[1:-1]
    yield repr(data)[2:-1]
    yield html.escape(secret)
    for inner in {data, json.dumps(secret)[1:-1].encode()}:  # alone, or with the whole body of a token request
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(inner).decode().rstrip("=")
            for before in range(3):
                yield _within_base64(encode(bytes(before) + inner).decode(), before, len(inner))


def _within_base64(encoded: str, before: int, size: int) -> str:
    """Return what stands for the secret alone when `before` bytes come first, as in `id:secret`."""
    first = -(-before * 8 // 6)
    last = (before + size) * 8 // 6
    return encoded[first:last]
