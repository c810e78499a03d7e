"""Create the read-only views for reporting tools.

Whoever changes a table that they read drops them first, and creates them anew.
"""

from __future__ import annotations

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KEY = "d.month || '/' || d.kind || CASE WHEN d.subject = '' THEN '' ELSE '/' || d.subject END"
# PostgreSQL lets a view of a single table be written through; of two, it does not.
READ_ONLY = "CROSS JOIN (SELECT 1) AS read_only"
DURATION_S = {
    "sqlite": "round((julianday({ended}) - julianday({started})) * 86400.0, 3)",
    "postgresql": "round(extract(epoch FROM {ended} - {started})::numeric, 3)",
}


def upgrade() -> None:
    duration_s = DURATION_S[op.get_bind().dialect.name]
    op.execute(f"""
        CREATE VIEW report_status AS
        SELECT {KEY} AS report_key, d.endpoint, d.cpo_id, d.month, d.kind, d.subject, d.due, d.state,
               d.evidence, d.in_doubt, d.drift, d.obelis_id, d.payload_sha256 AS sha256, d.attempts,
               d.last_outcome, d.http_status, d.detail, d.next_attempt_at, d.updated_at
        FROM deliveries AS d {READ_ONLY}""")
    op.execute(f"""
        CREATE VIEW report_attempts AS
        SELECT {KEY} AS report_key, d.month, d.kind, d.subject, a.endpoint, a.request_id, a.run_id, a.instance,
               a.verb, a.path, a.payload_sha256 AS sha256, a.started_at, a.ended_at,
               {duration_s.format(started="a.started_at", ended="a.ended_at")} AS duration_s,
               a.http_status, a.outcome, a.answer
        FROM attempts AS a LEFT JOIN deliveries AS d ON d.id = a.delivery_id""")
    op.execute(f"""
        CREATE VIEW report_runs AS
        SELECT r.run_id, r.endpoint, r.cpo_id, r.month, r.started_by, r.instance, r.started_at, r.ended_at,
               {duration_s.format(started="r.started_at", ended="r.ended_at")} AS duration_s,
               r.result, r.detail, r.summary
        FROM runs AS r {READ_ONLY}""")


def downgrade() -> None:
    for view in ("report_runs", "report_attempts", "report_status"):
        op.execute(f"DROP VIEW {view}")
