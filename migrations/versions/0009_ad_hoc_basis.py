"""Let ad-hoc tariffs name the contract that they rest on, where the API asks for it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add the column."""
    op.add_column("ad_hoc_tariffs", sa.Column("contractual_basis", sa.Text(), nullable=True))


def downgrade() -> None:
    """Remove it, with what it holds."""
    op.drop_column("ad_hoc_tariffs", "contractual_basis")
