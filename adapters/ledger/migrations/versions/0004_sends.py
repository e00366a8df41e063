"""How often a write was sent, and when last."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    there = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("claims")}
    if "sends" not in there:  # tables that are made today have them from the first
        op.add_column("claims", sa.Column("sends", sa.Integer(), nullable=False, server_default="0"))
        op.add_column("claims", sa.Column("sent_at", sa.Float()))
