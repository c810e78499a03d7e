"""What other programs take from the environment and this one does not: said where it would explain a failure."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from report_service.settings.obelis import ObelisSettings

_PROXIES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY")
_AUTHORITIES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")


def unread_variables(obelis: ObelisSettings, environ: Mapping[str, str] | None = None) -> str:
    """Return, for a request that could not leave, which variables are set but not read, and what is instead.

    Empty when there are none, or their settings are in use. Never a value: a proxy's may hold a password.
    """
    environ = os.environ if environ is None else environ
    given = {name.upper() for name, value in environ.items() if value}
    proxies = [] if obelis.proxy else [name for name in _PROXIES if name in given]
    authorities = [] if obelis.ca_file else [name for name in _AUTHORITIES if name in given]
    hints = [f"{' and '.join(proxies)} not read: obelis.proxy is"] if proxies else []
    hints += [f"{' and '.join(authorities)} not read: obelis.ca_file is"] if authorities else []
    return "; ".join(hints)
