"""Create the record of what was handed in by other means."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "hand_ins",
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("cpo_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("declared_by", sa.Text(), nullable=False),
        sa.Column("declared_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "cpo_id", "key", name="pk_hand_ins"),
    )


def downgrade() -> None:
    op.execute("UPDATE deliveries SET state = 'unresolved' WHERE state = 'handed_in' AND in_doubt")
    op.execute("UPDATE deliveries SET state = 'missed' WHERE state = 'handed_in'")
    op.drop_table("hand_ins")
