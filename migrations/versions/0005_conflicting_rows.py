"""Keep why none of an import's several rows for one report can be right."""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLES = ("hotline_ratings", "nondiscriminatory_access", "hub_ratings", "ad_hoc_tariffs", "point_ratings")


def upgrade() -> None:
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} ADD COLUMN conflict TEXT")


def downgrade() -> None:
    for table in TABLES:
        op.execute(f"ALTER TABLE {table} DROP COLUMN conflict")
