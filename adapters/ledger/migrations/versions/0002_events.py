"""Which booking wrote which appointment, and which appointment events were forwarded."""

from alembic import op

from adapters.ledger.schema import deliveries, metadata, writes

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    metadata.create_all(op.get_bind(), tables=[writes, deliveries])
