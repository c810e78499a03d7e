"""Create the inventory and the five source tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

EXACT = sa.Numeric().with_variant(sa.String(), "sqlite")
"""Decimals keep their digits: SQLite's own numbers are binary."""


def upgrade() -> None:
    """Create the inventory and the five source tables."""
    op.create_table(
        "ad_hoc_tariffs",
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("hub_id", sa.String(length=36), nullable=False),
        sa.Column("cost_ct_per_kwh", EXACT, nullable=True),
        sa.Column("additional_costs", sa.Text(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("month", "hub_id", name="pk_ad_hoc_tariffs"),
    )
    op.create_table(
        "hotline_ratings",
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("hotline_calls", EXACT, nullable=True),
        sa.Column("fcr_rate", EXACT, nullable=True),
        sa.Column("asa_seconds", EXACT, nullable=True),
        sa.Column("rating", EXACT, nullable=True),
        sa.PrimaryKeyConstraint("month", name="pk_hotline_ratings"),
    )
    op.create_table(
        "hub_ratings",
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("hub_id", sa.String(length=36), nullable=False),
        sa.Column("rating", EXACT, nullable=True),
        sa.PrimaryKeyConstraint("month", "hub_id", name="pk_hub_ratings"),
    )
    op.create_table(
        "hubs",
        sa.Column("hub_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("commissioned_on", sa.Date(), nullable=True),
        sa.Column("decommissioned_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("hub_id", name="pk_hubs"),
    )
    op.create_table(
        "nondiscriminatory_access",
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("provider_group", sa.String(length=5), nullable=False),
        sa.Column("cost_ct_per_kwh", EXACT, nullable=True),
        sa.Column("additional_costs", sa.Text(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=True),
        sa.Column("valid_to", sa.DateTime(timezone=True), nullable=True),
        sa.Column("contractual_basis", sa.Text(), nullable=True),
        sa.Column("reasoning_different_costs", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("month", "provider_group", name="pk_nondiscriminatory_access"),
    )
    op.create_table(
        "point_ratings",
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("point_id", sa.String(length=36), nullable=False),
        sa.Column("rating", EXACT, nullable=True),
        sa.Column("total_complaints", EXACT, nullable=True),
        sa.PrimaryKeyConstraint("month", "point_id", name="pk_point_ratings"),
    )
    op.create_table(
        "points",
        sa.Column("point_id", sa.String(length=36), nullable=False),
        sa.Column("hub_id", sa.String(length=36), nullable=False),
        sa.Column("evse_id", sa.Text(), nullable=True),
        sa.Column("commissioned_on", sa.Date(), nullable=True),
        sa.Column("decommissioned_on", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("point_id", name="pk_points"),
    )
    op.create_table(
        "provider_groups",
        sa.Column("provider_group", sa.String(length=5), nullable=False),
        sa.Column("valid_from", sa.Date(), nullable=True),
        sa.Column("valid_to", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("provider_group", name="pk_provider_groups"),
    )


def downgrade() -> None:
    """Remove them, with what they hold."""
    op.drop_table("provider_groups")
    op.drop_table("points")
    op.drop_table("point_ratings")
    op.drop_table("nondiscriminatory_access")
    op.drop_table("hubs")
    op.drop_table("hub_ratings")
    op.drop_table("hotline_ratings")
    op.drop_table("ad_hoc_tariffs")
