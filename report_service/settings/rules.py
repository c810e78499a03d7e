"""What the value of a single setting must look like; each check says the rule, never the value."""

from __future__ import annotations

import difflib
import ipaddress
import re
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Secret

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import SecretStr

_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)"
_WEB_URL = re.compile(rf"(https?)://({_HOST})(?::(\d+))?(/[^\s\\#]*)?", re.ASCII | re.IGNORECASE)
_PROXY_URL = re.compile(rf"https?://(?:[^\s\\@/?#]+@)?{_HOST}(?::\d+)?/?", re.ASCII | re.IGNORECASE)
_STORE_URL = re.compile(r"sqlite:///.*\w.*|postgres(?:ql)?(?:\+psycopg)?://.+")
_SOURCE_URL = re.compile(r"[a-z]\w*(?:\+\w+)?://.*", re.ASCII)
_MASKABLE_URL = re.compile(r"([a-z][a-z0-9+.-]*://)([^?#]*@)?([^@?#]*)([?#][^@]*)?", re.IGNORECASE)
_DEFAULT_PORTS = {"https": 443, "http": 80}

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"[!-~](?:[ -~]*[!-~])?")
OWN_HEADERS = frozenset(
    {
        *("authorization", "connection", "content-length", "content-type", "host"),
        *("transfer-encoding", "x-correlation-id", "x-request-id"),
    }
)
"""Headers that the service sets itself, in lower case."""


class PasswordUrl(Secret[str]):
    """A URL that may hold a password: shown without user info and query wherever it is printed."""

    def _display(self) -> str:
        return masked(self.get_secret_value())


def masked(text: str) -> str:
    """Return text fit to be shown: a URL loses its user info and query, and what may be half a URL is hidden."""
    if "://" not in text and "@" not in text:
        return text
    match = _MASKABLE_URL.fullmatch(text)
    if match is None:
        return "***"
    scheme, user, place, query = match.groups()
    return f"{scheme}{'***@' if user else ''}{place}{'?***' if query else ''}"


def web_url(url: str) -> str:
    """Return a URL that secrets are sent to: https, or http on the loopback; no user info, no fragment."""
    match = _WEB_URL.fullmatch(url)
    if match is None or int(match[3] or 1) not in range(1, 65536):
        raise ValueError("must be https://HOST[:PORT][/PATH], without user info, spaces or #")
    if match[1].lower() == "http" and not _is_loopback(match[2]):
        raise ValueError("must begin with https://; http:// is for localhost, 127.0.0.0/8 and [::1] only")
    return url


def secret_url(url: SecretStr) -> SecretStr:
    """Return a `web_url` that whoever knows it can use: it is a secret as a whole."""
    web_url(url.get_secret_value())
    return url


def origin(url: str) -> str:
    """Return scheme and host of a `web_url` that has nothing else: lower-case, without the scheme's own port.

    It is the ledger's key, so two spellings of one place must come out the same.
    """
    match = _WEB_URL.fullmatch(web_url(url).lower())
    if match is None or match[4] not in {None, "/"}:
        raise ValueError("must be scheme and host alone; a path belongs into obelis.paths.prefix")
    scheme, host, port = match[1], match[2], int(match[3] or 0)
    return f"{scheme}://{host}" + (f":{port}" if port not in {0, _DEFAULT_PORTS[scheme]} else "")


def _is_loopback(host: str) -> bool:
    try:
        return host.lower() == "localhost" or ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def proxy_url(url: PasswordUrl) -> PasswordUrl:
    """Return a proxy's URL; http is fine off the loopback too, for what passes through is TLS."""
    if not _PROXY_URL.fullmatch(url.get_secret_value()):
        raise ValueError("must be http[s]://[USER:PASSWORD@]HOST[:PORT]")
    return url


def store_url(url: PasswordUrl) -> PasswordUrl:
    """Return the URL of a database that outlives the process."""
    text = url.get_secret_value()
    if not _STORE_URL.fullmatch(text) or ":memory:" in text:
        raise ValueError("must be sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE")
    return _one_at_sign(url)


def source_url(url: PasswordUrl) -> PasswordUrl:
    """Return the URL of an operator's own database, of whatever make."""
    if not _SOURCE_URL.fullmatch(url.get_secret_value()):
        raise ValueError("must be an SQLAlchemy URL: DIALECT[+DRIVER]://USER:PASSWORD@HOST/DATABASE")
    return _one_at_sign(url)


def _one_at_sign(url: PasswordUrl) -> PasswordUrl:
    """Return a URL of which nobody can take a part of the password for the host, and show it."""
    place = url.get_secret_value().partition("?")[0]
    if place.count("@") > 1 and not place.startswith("sqlite"):
        raise ValueError("has more than one @: write that of a user or a password as %40")
    return url


def header_name(name: str) -> str:
    """Return the name of a header that may be fixed by a setting."""
    if not _HEADER_NAME.fullmatch(name):
        raise ValueError("must be an HTTP header's name: letters, digits and hyphens")
    if name.lower() in OWN_HEADERS:
        raise ValueError("is set by the service itself: take it out")
    return name


def utf_8(text: str) -> str:
    """Return text; refuse what Python makes of other bytes in the environment (halves of surrogate pairs)."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("must be UTF-8") from None
    return text


def printable_text(text: str) -> str:
    """Return text of any script that can be sent in JSON, kept in any store and shown on a line."""
    if not text or text != text.strip() or not text.isprintable():
        raise ValueError("must be printable text, not empty, without spaces at its ends")
    return text


def printable_secret(value: SecretStr) -> SecretStr:
    """Return a secret that is `printable_text`."""
    printable_text(value.get_secret_value())
    return value


def header_value(value: SecretStr) -> SecretStr:
    """Return a header's value: ASCII, sent as it is, that cannot break a request apart (RFC 9110, 5.5)."""
    if not _HEADER_VALUE.fullmatch(value.get_secret_value()):
        raise ValueError("must be printable ASCII, not empty, without spaces at its ends")
    return value


def existing_file(path: Path) -> Path:
    """Return the path of a file that is there and may be read."""
    try:
        path.open("rb").close()
    except OSError as exc:
        reason = exc.strerror
    else:
        return path
    raise ValueError(f"must be a file that can be read: {reason}")


def time_zone(name: str) -> str:
    """Return the name of a zone that the machine knows."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        near = difflib.get_close_matches(name, available_timezones(), n=1)
    else:
        return name
    raise ValueError("must be an IANA time zone" + (f"; the nearest is {near[0]}" if near else ""))


def year_and_month(text: str) -> str:
    """Return a month written YYYY-MM."""
    if not re.fullmatch(r"20\d\d-(0[1-9]|1[0-2])", text, re.ASCII):
        raise ValueError('must be a month written "YYYY-MM"')
    return text


def not_blank(text: str) -> str:
    """Return text that holds more than spaces."""
    if not text.strip():
        raise ValueError("must not be empty")
    return text


def path_template(*required: str, optional: tuple[str, ...] = (), any_of: tuple[str, ...] = ()) -> AfterValidator:
    """Return the check of a path that names `required`, at least one of `any_of`, and may name `optional`."""
    allowed = (*required, *optional, *any_of)

    def check(path: str) -> str:
        names = re.findall(r"\{([^{}]*)\}", path)
        if unknown := [name for name in names if name not in allowed]:
            known = ", ".join(f"{{{name}}}" for name in allowed) or "none"
            raise ValueError(f"has an unknown placeholder {{{unknown[0]}}}; known here: {known}")
        if len(set(names)) < len(names):
            raise ValueError("must hold each placeholder once")
        if missing := [name for name in required if name not in names]:
            raise ValueError(f"must hold {{{missing[0]}}}")
        if any_of and not set(names) & set(any_of):
            raise ValueError("must hold " + " or ".join(f"{{{name}}}" for name in any_of))
        return _plain_path(path)

    return AfterValidator(check)


def path_prefix(path: str) -> str:
    """Return what all paths begin with; may be empty."""
    return _plain_path(path) if path else path


def _plain_path(path: str) -> str:
    segments = re.sub(r"\{\w+\}", "x", path, flags=re.ASCII).split("/")
    if (
        segments[0]
        or not segments[1:]
        or not all(re.fullmatch(r"[\w.~-]+", part, re.ASCII) for part in segments[1:])
    ):
        raise ValueError("must begin with /, and hold letters, digits, - . _ ~ between single slashes, no ? or #")
    if {".", ".."} & set(segments):
        raise ValueError('must not hold "." or ".." between slashes')
    return path
