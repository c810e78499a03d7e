"""Take secrets out of text, before it is logged, printed or stored.

Two nets: values known to be secret, in the encodings in which they travel, and shapes that secrets have (a bearer
token, a JWT, user info in a URL, whatever follows a name such as `client_secret`).
"""

from __future__ import annotations

import base64
import html
import json
import re
import threading
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

REDACTED = "[redacted]"
SHORTEST = 4  # a shorter value is no secret, and would blot out ordinary text
_LEARNT = 8  # tokens change every hour: only the latest can still be used

_NAME = r"(?:authorization|cookie|api[_-]?key|private[_-]?key|secret|passw(?:or)?d|passwd|pwd|token)"
_QUOTED_VALUE = r"""(?P<quote>\\?["'])(?:(?!(?P=quote))(?:\\.|.))*"""
_BARE_VALUE = r"""(?!b?\\?["'])(?:(?:bearer|basic)\s+)?[^\s,;&"'<>(){}\[\]]+"""

# In this order: what follows a name is taken out whole, before its parts are looked at.
_SHAPES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE | re.DOTALL), replacement)
    for pattern, replacement in (
        # "name": "value", name="value": in JSON, in JSON within JSON, in a repr
        (rf"""({_NAME}\\?["']?\s*[:=]\s*b?){_QUOTED_VALUE}""", rf"\1\g<quote>{REDACTED}"),
        # name=value, and "name": 12; but `no token: refused` is prose
        (rf"""({_NAME}(?:\\?["']\s*[:=]|\s*=)\s*){_BARE_VALUE}""", rf"\1{REDACTED}"),
        (rf"(\b(?:authorization|client[_-]?secret|api[_-]?key|password)\s*:\s*){_BARE_VALUE}", rf"\1{REDACTED}"),
        (r"(\bcookie\s*:\s*)[^\r\n\"']+", rf"\1{REDACTED}"),
        (r"(bearer(?:\s+|%20|\+))(?!token\b)[^\s,;&\"'<>]+", rf"\1{REDACTED}"),
        (r"\beyJ[\w-]{5,}(?:\.[\w-]*)*={0,2}", REDACTED),
        # A password may hold a slash that nobody escaped; but `:80/` is a port.
        (r"""(://)(?:[^\s/?#"'<>]*|[^\s/:@"'<>]*:(?!\d+[/?#])[^\s"'<>]*)@""", rf"\1{REDACTED}@"),
    )
)
# Without one of these no shape matches. Looking for each is ten times as fast as one expression for all.
_MARKS = ("eyj", "://", "bearer", "authorization", "cookie", "api", "private", "secret", "passw", "pwd", "token")


class Redactor:
    """Replace secrets in text by a mark; callable, safe to share between threads."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Take the values that are secret for as long as the process lives."""
        self._lock = threading.Lock()
        self._known = tuple(_longest_first(secrets))
        self._learnt: deque[str] = deque(maxlen=_LEARNT)
        self._forms = self._known

    def learn(self, secret: str) -> None:
        """Add a secret that became known at run time; the eight latest are kept."""
        with self._lock:
            if secret not in self._learnt:
                self._learnt.append(secret)
                self._forms = (*_longest_first(self._learnt), *self._known)

    def finds(self, text: str) -> bool:
        """Say whether `text` may hold a secret; False is certain."""
        return _any(self._forms, text) or _any(_MARKS, text.lower())

    def __call__(self, text: str) -> str:
        """Return `text` without its secrets."""
        for form in self._forms:
            text = text.replace(form, REDACTED)
        if _any(_MARKS, text.lower()):
            for shape, replacement in _SHAPES:
                text = shape.sub(replacement, text)
        return text


def _any(parts: tuple[str, ...], text: str) -> bool:
    for part in parts:  # noqa: SIM110 - any() with a generator takes three times as long
        if part in text:
            return True
    return False


def _longest_first(secrets: Iterable[str]) -> list[str]:
    """Return every form of the secrets, so ordered that none is cut by a part of itself."""
    forms = {form for secret in secrets for form in _forms(secret.strip()) if len(form) >= SHORTEST}
    return sorted(forms, key=lambda form: (-len(form), form))


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as it is, and as URLs, JSON, Python, HTML and base64 write it."""
    if len(secret) < SHORTEST:
        return
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
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        yield encode(data).decode().rstrip("=")
        for before in range(3):
            yield _within_base64(encode(bytes(before) + data).decode(), before, len(data))


def _within_base64(encoded: str, before: int, size: int) -> str:
    """Return what stands for the secret alone when `before` bytes come first, as in `id:secret`."""
    first = -(-before * 8 // 6)
    last = (before + size) * 8 // 6
    return encoded[first:last]
