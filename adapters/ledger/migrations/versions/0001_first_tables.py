"""First tables. On PostgreSQL the database itself refuses overlapping live claims."""

from alembic import op

from adapters.ledger.schema import claims, leases, messages, metadata, opt_outs

revision = "0001"
down_revision = None


def upgrade() -> None:
    bind = op.get_bind()
    metadata.create_all(bind, tables=[claims, leases, messages, opt_outs])
    if bind.dialect.name != "postgresql":
        return
    op.execute("CREATE EXTENSION IF NOT EXISTS btree_gist")
    for resource in ("provider", "operatory"):
        op.execute(
            f"ALTER TABLE claims ADD CONSTRAINT one_claim_a_{resource} EXCLUDE USING gist "
            f"(connection WITH =, {resource} WITH =, int8range(start_at, end_at) WITH &&) WHERE (live)"
        )
