"""Pings to a dead man's switch, in the way of healthchecks.io."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import httpx

if TYPE_CHECKING:
    from report_service.adapters.obelis.transport import Transports
    from report_service.ports import Signal

TIMEOUT_S = 10.0

_log = logging.getLogger(__name__)


class HttpSwitch:
    """One check: an address that is pinged. The address is as good as a secret, and never logged."""

    def __init__(self, setting: str, url: str, transports: Transports) -> None:
        """Take the setting that names the address, for the log, and what makes a connection."""
        self._setting = setting
        self._url = urlsplit(url)
        self._transports = transports
        self._failing = False

    def send(self, signal: Signal, text: str) -> bool:
        """Send a signal with a short text; return whether it got through. That it does not is logged once."""
        path = self._url.path.rstrip("/") + signal.value
        try:
            with (
                httpx.Client(transport=self._transports(), timeout=TIMEOUT_S, trust_env=False) as client,
                client.stream("POST", urlunsplit(self._url._replace(path=path)), content=text.encode()) as answer,
            ):
                why = None if answer.is_success else f"it answered {answer.status_code}"
        except httpx.HTTPError as exc:
            why = type(exc).__name__  # its words may quote the address
        if why is not None and not self._failing:
            _log.warning("a ping to %s did not get through: %s; it is sent again", self._setting, why)
        self._failing = why is not None
        return why is None
