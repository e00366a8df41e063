"""What the workers agree on: their keys' fingerprints and their practice file. And a row that readiness writes."""

from alembic import op

from adapters.ledger.schema import metadata, practice_files, probes, shared_keys

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    metadata.create_all(op.get_bind(), tables=[shared_keys, practice_files, probes])
