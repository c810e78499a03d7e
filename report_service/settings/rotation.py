"""Secrets that change while the process lives: read anew when asked, so that a rotation needs no restart."""

from __future__ import annotations

import logging
from itertools import chain
from typing import TYPE_CHECKING

from report_service.domain.secrecy import secrets_in_url
from report_service.errors import ConfigurationError
from report_service.settings.loading import load_settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from report_service.settings.model import Settings

_log = logging.getLogger(__name__)


def secrets_of(settings: Settings) -> list[str]:
    """Return every secret in the settings, for the redactor."""
    obelis = settings.obelis
    values = [obelis.client_secret, *obelis.headers.values()]
    values += [url for url in (settings.ping.url, settings.ping.month_url) if url]
    urls = [settings.store.url, *(source.url for source in settings.sources.values())]
    urls += [obelis.proxy] if obelis.proxy else []
    texts = [obelis.token_url, *(url.get_secret_value() for url in urls)]
    return [*(value.get_secret_value() for value in values), *chain.from_iterable(map(secrets_in_url, texts))]


class CurrentSecrets:
    """The secrets as they were read last, and the way to read them anew. Safe for several threads.

    Those are the client secret and the store's password. Whatever else has changed in the settings meanwhile takes
    effect at the next start only.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        read: Callable[[], Settings] = load_settings,
        learn: Callable[[str], None] = lambda _secret: None,
    ) -> None:
        """Take the settings in force, what reads them anew, and what is told of each new secret (the redactor)."""
        self._settings = settings
        self._read = read
        self._learn = learn

    def client_secret(self) -> str:
        """Return the client secret that the API is to be shown."""
        return self._settings.obelis.client_secret.get_secret_value()

    def store_url(self) -> str:
        """Return the store's URL, with the password that its server is to be shown."""
        return self._settings.store.url.get_secret_value()

    def reread(self) -> bool:
        """Read the secrets anew; return True if the client secret is another one.

        Settings that cannot be used now leave the secrets as they are, and are told of in the log.
        """
        before = self.client_secret()
        try:
            fresh = self._read()
        except ConfigurationError as unusable:
            _log.warning("the secrets could not be read anew, the old ones stay: %s", unusable.message)
            return False
        url = fresh.store.url.get_secret_value()
        for secret in (fresh.obelis.client_secret.get_secret_value(), *secrets_in_url(url)):
            self._learn(secret)
        self._settings = fresh
        return self.client_secret() != before
