"""Create the source table of hub uptimes."""

import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "HEAD"

EXACT = sa.Numeric().with_variant(sa.String(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "hub_uptimes",
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("hub_id", sa.String(length=36), nullable=False),
        sa.Column("uptime", EXACT, nullable=True),
        sa.Column("outages", EXACT, nullable=True),
        sa.Column("remark", sa.Text(), nullable=True),
        sa.Column("conflict", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("month", "hub_id", name="pk_hub_uptimes"),
    )


def downgrade() -> None:
    op.drop_table("hub_uptimes")
