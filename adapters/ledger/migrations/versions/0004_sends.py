"""Count how often a write was sent, and when last."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    existing = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("claims")}
    if "sends" not in existing:  # tables that 0001 creates from today's schema already have them
        op.add_column("claims", sa.Column("sends", sa.Integer(), nullable=False, server_default="0"))
        op.add_column("claims", sa.Column("sent_at", sa.Float()))
