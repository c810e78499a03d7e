"""Builds the way to the API: its paths, its client, the secrets that go with it."""

from __future__ import annotations

import logging
import uuid
from functools import partial
from typing import TYPE_CHECKING

from report_service.adapters.obelis.auth import ClientCredentials
from report_service.adapters.obelis.client import HttpReportApi
from report_service.adapters.obelis.transport import Transports, http_transports
from report_service.bootstrap.rendering import routes_of
from report_service.errors import BadInput, ConfigurationError
from report_service.services.contract.described_bodies import DescribedBodies
from report_service.settings.elsewhere import unread_variables

if TYPE_CHECKING:
    import random
    from collections.abc import Callable
    from pathlib import Path

    from report_service.domain.routes import Routes
    from report_service.mock_api.app import MockObelis
    from report_service.ports import (
        Clock,
    )
    from report_service.settings import Settings
    from report_service.settings.rotation import CurrentSecrets


_log = logging.getLogger(__name__)


def described_bodies(openapi: Path, routes: Routes) -> DescribedBodies:
    """Return what the API's OpenAPI file says of bodies; raise ConfigurationError for one that is not usable."""
    from report_service.adapters.openapi_file import OpenApiFile  # noqa: PLC0415 - a quarter of a second

    try:
        file = OpenApiFile(openapi)
    except BadInput as bad:
        raise ConfigurationError(f"obelis.openapi: {bad.message}", hint=bad.hint) from bad
    return DescribedBodies(name=str(openapi), description=file.description, schemas=file, routes=routes)


def api_of(
    settings: Settings,
    secrets: CurrentSecrets,
    *,
    clock: Clock,
    mock: MockObelis | None,
    random_: random.Random,
    learn: Callable[[str], None],
) -> HttpReportApi:
    """Return the client of the API, or of its mock in this process; only the one in use is imported."""
    obelis = settings.obelis
    transports: Transports
    if obelis.mode == "mock":
        from report_service.adapters.obelis.in_process import InProcessTransport  # noqa: PLC0415 - see above
        from report_service.mock_api.app import MockObelis as Mock  # noqa: PLC0415 - see above

        handler = mock or Mock(clock=clock, routes=routes_of(settings))
        transports = partial(InProcessTransport, handler.handle, sleep=clock.sleep)
    else:
        proxy = obelis.proxy.get_secret_value() if obelis.proxy else None
        transports = http_transports(ca_file=obelis.ca_file, ca_only=obelis.ca_only, proxy=proxy)
    return HttpReportApi(
        base_url=obelis.base_url,
        credentials=ClientCredentials(
            token_url=obelis.token_url,
            client_id=obelis.client_id,
            client_secret=secrets.client_secret,
            cpo_id=obelis.cpo_id,
            reread=secrets.reread,
        ),
        transports=transports,
        learn=learn,
        clock=clock,
        timeout_s=obelis.timeout_s,
        correlation_id=str(uuid.UUID(int=random_.getrandbits(128), version=4)),
        headers={name: value.get_secret_value() for name, value in obelis.headers.items()},
        unread=unread_variables(obelis) if obelis.mode == "http" else "",
    )
