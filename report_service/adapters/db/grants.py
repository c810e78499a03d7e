"""What a role may do on PostgreSQL: told at the start, by name, rather than by whichever statement fails first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import text

from report_service.adapters.db.tables import metadata
from report_service.errors import ConfigurationError, SchemaOutdated

if TYPE_CHECKING:
    from sqlalchemy import Connection

USED = ("SELECT", "INSERT", "UPDATE", "DELETE")
"""What the service does with its tables; it makes and changes them only to bring them up to date."""

_MISSING = text("""
    SELECT wanted.name, wanted.privilege
    FROM (
      SELECT name, privilege
      FROM unnest(CAST(:tables AS text[])) AS name, unnest(CAST(:used AS text[])) AS privilege
    ) AS wanted
    WHERE NOT has_table_privilege(wanted.name, wanted.privilege)
    ORDER BY 1, 2
""")
_MISSING_SEQUENCE = text("""
    SELECT pg_get_serial_sequence('deliveries', 'id')
    WHERE NOT has_sequence_privilege(pg_get_serial_sequence('deliveries', 'id'), 'USAGE')
""")
_MAY_CREATE = text("SELECT has_schema_privilege(current_schema(), 'CREATE')")
_NOT_OWNED = text("""
    SELECT tablename FROM pg_tables
    WHERE schemaname = current_schema() AND tablename = ANY(:tables) AND NOT pg_has_role(tableowner, 'USAGE')
    ORDER BY 1
""")
_WHO = text("SELECT current_user, current_schema()")


def require_use(connection: Connection) -> None:
    """Raise ConfigurationError, which names the grants, unless the role may use the tables, which are there."""
    tables = [table.name for table in metadata.sorted_tables]
    missing = connection.execute(_MISSING, {"tables": tables, "used": list(USED)}).all()
    sequence = connection.execute(_MISSING_SEQUENCE).scalar()
    if not missing and sequence is None:
        return
    role, _ = connection.execute(_WHO).one()
    lacks = [f"{privilege} on {name}" for name, privilege in missing] + (
        [f"USAGE on {sequence}"] if sequence else []
    )
    raise ConfigurationError(
        f"the store's role {role} lacks {', '.join(lacks)}", hint=f"Have them granted: {grants_to(connection)}"
    )


def require_change(connection: Connection) -> None:
    """Raise SchemaOutdated, which names what is missing, unless the role may make and change the tables."""
    role, schema = connection.execute(_WHO).one()
    tables = [table.name for table in metadata.sorted_tables]
    foreign = connection.execute(_NOT_OWNED, {"tables": tables}).scalars().all()
    lacks = [] if connection.execute(_MAY_CREATE).scalar() else [f"CREATE on the schema {schema}"]
    lacks += [f"the ownership of {', '.join(foreign)}"] if foreign else []
    if lacks:
        raise SchemaOutdated(
            f"the store's tables are not at this version's revision, and its role {role} may not change them: it "
            f"lacks {' and '.join(lacks)}",
            hint="Have somebody who may run what `report-service db upgrade --sql` prints, or grant it.",
        )


def grants_to(connection: Connection) -> str:
    """Return the statements that let the connected role use the tables, and no more."""
    role, schema = (_quoted(name) for name in connection.execute(_WHO).one())
    return (
        f"GRANT {', '.join(USED)} ON ALL TABLES IN SCHEMA {schema} TO {role}; "
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA {schema} TO {role};"
    )


def _quoted(name: str | None) -> str:
    return '"' + (name or "public").replace('"', '""') + '"'
