"""Fences that never repeat need 64 bits. SQLite's integers have 64 bits already."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.alter_column("claims", "fence", type_=sa.BigInteger())
