"""Signed links to a booking's status page, by the hash of their token."""

from alembic import op

from adapters.ledger.schema import links, metadata

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    metadata.create_all(op.get_bind(), tables=[links])
