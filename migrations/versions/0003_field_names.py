"""Call the ledger's columns what they are called elsewhere."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

RENAMED = {"unsettled": "in_doubt", "altered": "echo_differs", "streak": "consecutive_failures"}


def upgrade() -> None:
    for before, after in RENAMED.items():
        op.execute(f"ALTER TABLE deliveries RENAME COLUMN {before} TO {after}")


def downgrade() -> None:
    for before, after in RENAMED.items():
        op.execute(f"ALTER TABLE deliveries RENAME COLUMN {after} TO {before}")
