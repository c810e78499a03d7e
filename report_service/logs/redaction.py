"""Take secrets out of text, before it is logged, printed or stored.

Two nets: values known to be secret, in the encodings in which they travel, and shapes that secrets have (a bearer
token, a JWT, user info in a URL, whatever follows a name such as `client_secret`).
"""

from __future__ import annotations

import re
import threading
from collections import deque
from typing import TYPE_CHECKING

from report_service.domain.secrecy import forms_of

if TYPE_CHECKING:
    from collections.abc import Iterable

REDACTED = "[redacted]"
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
        self._known = forms_of(secrets)
        self._learnt: deque[str] = deque(maxlen=_LEARNT)
        self._forms = self._known

    def learn(self, secret: str) -> None:
        """Add a secret that became known at run time; the eight latest are kept."""
        with self._lock:
            if secret not in self._learnt:
                self._learnt.append(secret)
                self._forms = (*forms_of(self._learnt), *self._known)

    def finds(self, text: str) -> bool:
        """Return True if `text` may hold a secret; False is certain."""
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
