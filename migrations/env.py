"""Alembic's entry: it runs on the connection that `report_service.adapters.db.schema` hands it.

With --sql nothing is run: the statements are written for that connection's database.
"""

from alembic import context

from report_service.adapters.db.tables import metadata

connection = context.config.attributes["connection"]
if context.is_offline_mode():
    context.configure(
        dialect_name=connection.dialect.name,
        target_metadata=metadata,
        render_as_batch=True,
        literal_binds=True,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()
else:
    context.configure(connection=connection, target_metadata=metadata, render_as_batch=True)
    context.run_migrations()
