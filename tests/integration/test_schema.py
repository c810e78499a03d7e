"""The migrations make exactly the tables that the code speaks of, up and down, on both databases."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from report_service.adapters.db import schema
from report_service.adapters.db.engine import Store
from report_service.adapters.db.tables import metadata
from report_service.errors import SchemaOutdated

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def empty(empty_store_url: str) -> Iterator[Store]:
    store = Store(empty_store_url)
    yield store
    store.close()


def test_the_migrations_make_the_tables_that_the_code_declares(store: Store) -> None:
    with store.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_the_files_of_the_migrations_are_named_for_their_revisions_in_their_order() -> None:
    scripts = list(ScriptDirectory(str(Path(__file__).parents[2] / "migrations")).walk_revisions())
    for script in scripts:
        assert Path(script.path).name.startswith(f"{script.revision}_")
    assert [script.revision for script in scripts] == sorted((script.revision for script in scripts), reverse=True)
    assert schema.head_revision() == scripts[0].revision


def test_down_to_base_removes_every_table(store: Store) -> None:
    schema.downgrade(store, revision="base")
    with store.read() as connection:
        assert set(inspect(connection).get_table_names()) <= {"alembic_version"}
    schema.upgrade(store)
    assert schema.current_revision(store) == schema.head_revision()


def test_an_empty_store_is_upgraded_where_that_is_allowed(empty: Store) -> None:
    schema.require_current(empty, auto_upgrade=True)
    assert schema.current_revision(empty) == schema.head_revision()


def test_an_old_store_is_refused_with_the_command_to_run(empty: Store) -> None:
    schema.upgrade(empty, revision="0001")
    with pytest.raises(SchemaOutdated, match="at revision 0001, this version needs") as refused:
        schema.require_current(empty, auto_upgrade=False)
    assert "report-service db upgrade" in str(refused.value.hint)
    assert schema.current_revision(empty) == "0001"


def test_a_store_of_a_newer_version_is_left_alone(store: Store) -> None:
    with store.write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaOutdated, match="a newer version made them"):
        schema.require_current(store, auto_upgrade=True)
