"""Know whose visit a claim is for: the person, the chart, and a second contact."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    existing = {column["name"] for column in sa.inspect(op.get_bind()).get_columns("claims")}
    if "person" not in existing:  # tables that 0001 creates from today's schema already have them
        for name in ("other_contact", "person", "chart"):
            op.add_column("claims", sa.Column(name, sa.String(64)))
            op.create_index(f"claims_by_{name}", "claims", [name])
