"""Pings to a dead man's switch, in the way of healthchecks.io."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from report_service.adapters.obelis.transport import WorkerConnection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from report_service.adapters.obelis.transport import Transports
    from report_service.ports import Signal

TIMEOUT_S = 10.0

_log = logging.getLogger(__name__)


class HttpSwitch:
    """One check: an address that is pinged. The address is as good as a secret, and never logged."""

    def __init__(self, setting: str, url: str, transports: Transports, *, timeout_s: float = TIMEOUT_S) -> None:
        """Take the setting that names the address, for the log, and what makes a connection."""
        self._setting = setting
        self._url = urlsplit(url)
        self._transports = transports
        self._timeout_s = timeout_s  # for connecting, and for the whole ping
        self._failing = False

    def send(self, signal: Signal, text: str) -> bool:
        """Send a signal with a short text; return whether it got through. That it does not is logged once."""
        path = self._url.path.rstrip("/") + signal.value
        why: str | None = None
        try:
            status = self._post(urlunsplit(self._url._replace(path=path)), text.encode())
        except (httpx.HTTPError, OSError) as exc:
            why = type(exc).__name__  # its words may quote the address
        else:
            if not httpx.codes.is_success(status):
                why = f"it answered {status}"
        if why is not None and not self._failing:
            _log.warning("a ping to %s did not get through: %s; it is sent again", self._setting, why)
        self._failing = why is not None
        return why is None

    def _post(self, url: str, content: bytes) -> int:
        """Return the status of the answer, of which nothing else is read."""
        connection = WorkerConnection(self._transports())

        def trace(event: str, info: Mapping[str, Any]) -> None:
            if event.endswith((".connect_tcp.complete", ".start_tls.complete")):
                connection.socket = info["return_value"].get_extra_info("socket")

        cut = threading.Timer(self._timeout_s, connection.cut_off)  # httpx's time-outs begin anew with every byte
        cut.daemon = True
        cut.start()
        try:
            with (
                httpx.Client(transport=connection.transport, timeout=self._timeout_s, trust_env=False) as client,
                client.stream("POST", url, content=content, extensions={"trace": trace}) as answer,
            ):
                return answer.status_code
        finally:
            cut.cancel()
