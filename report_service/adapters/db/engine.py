"""Connections: to SQLite, the embedded default, and to PostgreSQL, for several replicas."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as NoConnectionFree

from report_service.adapters.db import triage
from report_service.adapters.db.postgres import postgres_engine
from report_service.adapters.db.sqlite import hold_alone, shared_safely, sqlite_engine
from report_service.domain.secrecy import forms_of, secrets_in_url
from report_service.errors import ConfigurationError, StoreUnavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class Store:
    """A database, with short transactions on it."""

    def __init__(self, url: str) -> None:
        """Take a SQLAlchemy URL, `sqlite:///...` or `postgresql+psycopg://...`; connect only when asked to."""
        self.engine = _engine(url)
        self._writing = self.engine.execution_options(writes=True)
        self._let_go: Callable[[], None] = lambda: None

    @property
    def is_sqlite(self) -> bool:
        """Return True if the store is a file on this machine."""
        return self.engine.dialect.name == "sqlite"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Yield a connection in a transaction that only reads; raise StoreUnavailable."""
        with translated(self.engine), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """Yield a connection in a transaction that is durable when the block ends; raise StoreUnavailable."""
        with translated(self.engine), self._writing.begin() as connection:
            yield connection

    def do_not_wait_for_the_disk(self) -> None:
        """Give up durability: for a SQLite file that nobody keeps."""

        @event.listens_for(self.engine, "connect")
        def connect(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own type
            connection.execute("PRAGMA synchronous=OFF")

    def password_from(self, url: Callable[[], str]) -> None:
        """Take each new connection's password from a URL as it is then: it may be rotated."""

        @event.listens_for(self.engine, "do_connect")
        def connect(_dialect: object, _record: object, _given: object, named: dict[str, Any]) -> None:
            if password := parsed(url()).password:
                named["password"] = password

    def require_alone(self) -> bool:
        """Keep other daemons from a file that several must not share; return True if it is such a one.

        Raise ConfigurationError if another has it, StoreUnavailable.
        """
        with self.read() as connection:
            if not self.is_sqlite or shared_safely(connection):
                return False
            self._let_go = hold_alone(connection)
        return True

    def close(self) -> None:
        """Close every connection."""
        self.engine.dispose()
        self._let_go()


@contextmanager
def translated(engine: Engine) -> Iterator[None]:
    """Turn what a store that is away raises into StoreUnavailable: the one place where that happens.

    What is a bug (see `triage`) stays what it is: no waiting for the store mends it.
    """
    try:
        yield
    except NoConnectionFree as exc:
        raise _unavailable(engine, str(exc), triage.ROOM) from exc
    except DBAPIError as exc:
        hint = triage.way_out(exc)
        if hint is None:
            raise
        raise _unavailable(engine, str(exc.orig), hint) from exc


def _unavailable(engine: Engine, words: str, hint: str) -> StoreUnavailable:
    reason = without_password(" ".join(words.split()), engine.url)
    return StoreUnavailable(
        f"the store {shown(engine.url)} cannot be used: {reason}",
        hint=f"{hint} Nothing is lost: what was recorded stays, the rest is still due.",
    )


def parsed(url: str) -> URL:
    """Return a URL in its parts; raise ArgumentError."""
    try:
        return make_url(url)
    except ValueError as exc:  # it quotes what stands where a port should: half a password that holds @ and :
        raise ArgumentError("the port is no number") from exc


def without_password(words: str, url: URL) -> str:
    """Return what a driver says without the password that it may quote."""
    for form in forms_of(secrets_in_url(url.render_as_string(hide_password=False))):
        words = words.replace(form, "***")
    return words


def shown(url: URL) -> str:
    """Return a URL fit to be shown: without its password and its query."""
    return url.set(query={}).render_as_string(hide_password=True)


def _engine(text: str) -> Engine:
    try:
        url = parsed(text)
        if url.drivername in {"postgresql", "postgres"}:
            url = url.set(drivername="postgresql+psycopg")
        if url.drivername not in {"sqlite", "sqlite+pysqlite", "postgresql+psycopg"}:
            raise ConfigurationError(
                f"store.url = {shown(url)!r} names no supported database",
                hint="Use sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE.",
            )
        if url.get_backend_name() == "sqlite":
            return sqlite_engine(url)
        return postgres_engine(url)
    except (ArgumentError, NoSuchModuleError) as exc:
        raise ConfigurationError(
            "store.url is not the URL of a database",
            hint="Use sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE.",
        ) from exc
