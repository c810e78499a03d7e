"""PostgreSQL as a database administrator hands it out: roles without rights, schemas, several servers, TLS."""

from __future__ import annotations

import uuid
from contextlib import closing, nullcontext
from typing import TYPE_CHECKING

import psycopg
import pytest
import trustme
from sqlalchemy import event, insert, make_url, select, text

from report_service.adapters.db.engine import Store
from report_service.adapters.db.grants import USED
from report_service.adapters.db.schema import current_revision, head_revision, require_current, upgrade_script
from report_service.adapters.db.tables import metadata, payloads
from report_service.errors import ConfigurationError, SchemaOutdated, StoreUnavailable
from tests.support.postgres_server import postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.postgres


@pytest.fixture
def admin(empty_postgres_url: str) -> Iterator[psycopg.Connection]:
    """Return the database administrator's connection to the test's database."""
    with psycopg.connect(empty_postgres_url.replace("+psycopg", ""), autocommit=True) as connection:
        yield connection


@pytest.fixture
def role_url(empty_postgres_url: str, admin: psycopg.Connection) -> Iterator[str]:
    """Return the URL for a role that may connect and look, and no more."""
    role = f"test_{uuid.uuid4().hex[:8]}"
    admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'x'".encode())
    admin.execute(b"REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    yield make_url(empty_postgres_url).set(username=role, password="x").render_as_string(hide_password=False)
    admin.execute(f"DROP OWNED BY {role}".encode())
    admin.execute(f"DROP ROLE {role}".encode())


@pytest.fixture
def restricted(role_url: str) -> Iterator[Store]:
    store = Store(role_url)
    yield store
    store.close()


def test_a_role_that_may_not_make_tables_is_told_what_it_lacks_and_the_way_out(restricted: Store) -> None:
    with pytest.raises(
        SchemaOutdated, match="may not change them: it lacks CREATE on the schema public"
    ) as refused:
        require_current(restricted, auto_upgrade=True)

    assert "db upgrade --sql" in str(refused.value.hint)
    assert current_revision(restricted) is None


def test_what_the_script_makes_is_all_that_a_role_without_rights_needs(
    restricted: Store, admin: psycopg.Connection
) -> None:
    admin.execute(upgrade_script(restricted).encode())

    assert require_current(restricted, auto_upgrade=True) is None
    assert current_revision(restricted) == head_revision()
    with restricted.write() as connection:
        for table in metadata.sorted_tables:
            connection.execute(select(table).limit(1)).all()
            connection.execute(table.delete())
        connection.execute(insert(payloads).values(sha256="a", body="{}"))
        new = connection.execute(text("SELECT nextval('deliveries_id_seq')")).scalar_one()
    assert new == 1
    owner = admin.execute("SELECT tableowner = current_user FROM pg_tables WHERE tablename = 'deliveries'")
    assert owner.fetchone() == (True,)


def test_the_script_of_tables_that_are_this_version_s_changes_nothing(
    restricted: Store, admin: psycopg.Connection
) -> None:
    admin.execute(upgrade_script(restricted).encode())

    assert "CREATE" not in upgrade_script(restricted)


@pytest.mark.parametrize(
    ("revoked", "named"),
    [(f"{right} ON payloads", f"{right} on payloads") for right in USED if right != "SELECT"]
    + [("USAGE ON SEQUENCE deliveries_id_seq", "USAGE on public.deliveries_id_seq")],
)
def test_a_grant_that_is_missing_is_named_at_the_start(
    restricted: Store, admin: psycopg.Connection, revoked: str, named: str
) -> None:
    admin.execute(upgrade_script(restricted).encode())
    admin.execute(f"REVOKE {revoked} FROM {make_url(str(restricted.engine.url)).username}".encode())

    with pytest.raises(ConfigurationError, match=f"lacks {named}$") as refused:
        require_current(restricted, auto_upgrade=True)
    assert "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES" in str(refused.value.hint)


def test_a_role_may_use_what_is_another_s_but_not_bring_it_up_to_date(
    restricted: Store, admin: psycopg.Connection
) -> None:
    admin.execute(upgrade_script(restricted).encode())
    admin.execute(b"UPDATE alembic_version SET version_num = '0001'")
    admin.execute(f"GRANT CREATE ON SCHEMA public TO {restricted.engine.url.username}".encode())

    with pytest.raises(SchemaOutdated, match="lacks the ownership of ad_hoc_tariffs"):
        require_current(restricted, auto_upgrade=True)


def test_the_url_s_own_options_are_kept(empty_postgres_url: str, admin: psycopg.Connection) -> None:
    admin.execute(b"CREATE SCHEMA reports")
    store = Store(f"{empty_postgres_url}?options=-csearch_path%3Dreports")

    require_current(store, auto_upgrade=True)
    store.close()

    found = admin.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'deliveries'").fetchall()
    assert found == [("reports",)]


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_each_spelling_of_the_scheme_is_understood(empty_postgres_url: str, scheme: str) -> None:
    store = Store(make_url(empty_postgres_url).set(drivername=scheme).render_as_string(hide_password=False))

    assert current_revision(store) is None
    store.close()


@pytest.mark.parametrize(
    ("tls", "told"),
    [
        ("sslmode=require", "server does not support SSL, but SSL was required"),
        ("sslmode=verify-ful", 'invalid sslmode value: "verify-ful"'),
        ("sslmode=disable", None),
    ],
)
def test_how_tls_is_to_be_is_the_url_s_to_say(
    empty_postgres_url: str, admin: psycopg.Connection, tls: str, told: str | None
) -> None:
    if admin.execute("SHOW ssl").fetchone() == ("on",):
        told = told if told and "invalid" in told else None
    store = Store(f"{empty_postgres_url}?{tls}")

    with pytest.raises(StoreUnavailable, match=told) if told else nullcontext():
        current_revision(store)
    store.close()


def test_a_server_s_certificate_is_looked_at_as_the_url_says(tmp_path: Path) -> None:
    ours, stranger = tmp_path / "ours.pem", tmp_path / "stranger.pem"
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(ours))
    trustme.CA().cert_pem.write_to_path(str(stranger))
    shown = authority.issue_cert("127.0.0.1")
    with postgres_server() as server:
        server.speak_tls(shown.cert_chain_pems[0].bytes(), shown.private_key_pem.bytes())
        verified = f"{server.url}?sslmode=verify-full&sslrootcert="
        with closing(Store(f"{verified}{ours}")) as store, store.read() as connection:
            encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            assert connection.exec_driver_sql(encrypted).scalar_one() is True
        for url, told in (
            (f"{verified}{stranger}", "certificate verify failed"),
            (f"{verified}{ours}".replace("127.0.0.1", "localhost"), "does not match host name"),
        ):
            with closing(Store(url)) as store, pytest.raises(StoreUnavailable, match=told):
                current_revision(store)


def test_a_server_that_has_become_a_standby_is_left_at_the_first_refusal(empty_postgres_url: str) -> None:
    store = Store(empty_postgres_url)
    require_current(store, auto_upgrade=True)
    with store.read() as connection:  # from now on this connection behaves as after a fail-over
        connection.exec_driver_sql("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY")
        connection.commit()

    def write() -> None:
        with store.write() as connection:
            connection.execute(insert(payloads).values(sha256="a", body="{}"))

    with pytest.raises(StoreUnavailable, match="read-only transaction"):
        write()
    write()  # on a new connection, which finds the server that is no standby
    store.close()


def test_of_several_servers_the_one_that_can_be_written_is_taken(
    empty_postgres_url: str, admin: psycopg.Connection
) -> None:
    server = make_url(empty_postgres_url)
    place = f"{server.host}:{server.port or 5432}"
    url = server.set(host=None, port=None).update_query_dict({"host": ["127.0.0.1:1", place]})
    store = Store(url.render_as_string(hide_password=False))
    require_current(store, auto_upgrade=True)
    store.close()

    admin.execute(f"ALTER DATABASE {server.database} SET default_transaction_read_only = on".encode())
    store = Store(url.render_as_string(hide_password=False))
    with pytest.raises(StoreUnavailable, match="session is read-only"):
        current_revision(store)
    store.close()


def test_a_new_connection_takes_the_password_as_it_is_then(postgres_url: str) -> None:
    server, passwords, shown = make_url(postgres_url), iter(["the-first", "the-second"]), []
    store = Store(postgres_url)
    store.password_from(lambda: server.set(password=next(passwords)).render_as_string(hide_password=False))
    event.listen(
        store.engine, "do_connect", lambda _dialect, _record, _given, named: shown.append(named["password"])
    )

    current_revision(store)
    current_revision(store)  # on the same connection
    store.engine.dispose()
    current_revision(store)
    store.close()

    assert shown == ["the-first", "the-second"]
