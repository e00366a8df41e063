"""Keep every appointment that a booking wrote, not only the latest, so that events of each find the booking."""

from alembic import op
from sqlalchemy import insert, select

from adapters.ledger.schema import metadata, writes

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    bind = op.get_bind()
    columns = (writes.c.reference, writes.c.connection, writes.c.booking, writes.c.appointment)
    rows = [dict(row) for row in bind.execute(select(*columns)).mappings()]
    op.drop_table("writes")
    metadata.create_all(bind, tables=[writes])
    for row in rows:
        for appointment in dict.fromkeys(("", row["appointment"] or "")):
            bind.execute(insert(writes).values({**row, "appointment": appointment}))
