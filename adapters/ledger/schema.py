"""The ledger's tables. Instants are seconds since 1970-01-01 UTC."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Date,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

claims = Table(
    "claims",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reference", String(40), nullable=False, unique=True),
    Column("connection", String(64), nullable=False),
    Column("location", String(64), nullable=False),
    Column("service", String(64), nullable=False),
    Column("local_day", Date, nullable=False),
    Column("provider", String(64), nullable=False),
    Column("operatory", String(64), nullable=False),
    Column("start_at", Integer, nullable=False),
    Column("end_at", Integer, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("expires_at", Float, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("landed", Boolean, nullable=False),
    Column("written", Boolean, nullable=False),
    Column("sends", Integer, nullable=False, server_default="0"),
    Column("sent_at", Float),
    Column("contact", String(64)),
    Column("other_contact", String(64)),
    Column("person", String(64)),
    Column("chart", String(64)),
    Index("claims_by_day", "connection", "location", "local_day"),
    Index("claims_by_contact", "contact"),
    Index("claims_by_other_contact", "other_contact"),
    Index("claims_by_person", "person"),
    Index("claims_by_chart", "chart"),
    sqlite_autoincrement=True,
)

leases = Table(
    "leases",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("holder", String(64), nullable=False),
    Column("until", Float, nullable=False),
)

writes = Table(
    "writes",
    metadata,
    Column("reference", String(40), primary_key=True),
    Column("appointment", String(40), primary_key=True),
    Column("connection", String(64), nullable=False),
    Column("booking", String(200), nullable=False),
    Index("writes_by_appointment", "appointment"),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("key", String(64), primary_key=True),
    Column("at", Float, nullable=False, index=True),
)

messages = Table(
    "messages",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("reference", String(40), nullable=False),
    Column("kind", String(40), nullable=False),
    Column("version", Integer, nullable=False),
    Column("channel", String(10), nullable=False),
    Column("key", String(40), nullable=False, unique=True),
    Column("address_hash", String(64), nullable=False),
    Column("state", String(12), nullable=False),
    Column("code", String(40)),
    Column("provider_id", String(100)),
    Column("attempts", Integer, nullable=False),
    Column("resent", Boolean, nullable=False),
    Column("first_started_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    UniqueConstraint("reference", "kind", "version", "channel"),
    Index("messages_by_address", "address_hash"),
)

opt_outs = Table(
    "opt_outs",
    metadata,
    Column("address_hash", String(64), primary_key=True),
    Column("channel", String(10), primary_key=True),
    Column("source", String(40), nullable=False),
    Column("since", Float, nullable=False),
)

links = Table(
    "links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("booking", String(200), nullable=False, index=True),
    Column("language", String(8), nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
    Column("revoked", Boolean, nullable=False),
)

shared_keys = Table(
    "shared_keys",
    metadata,
    Column("purpose", String(10), primary_key=True),
    Column("key_id", String(80), primary_key=True),
    Column("fingerprint", String(64), nullable=False),
    Column("sealed_probe", LargeBinary, nullable=False),
    Column("first_seen", Float, nullable=False),
    Column("in_use_since", Float),
)

practice_files = Table(
    "practice_files",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("digest", String(64), nullable=False),
    Column("parts", Text, nullable=False),
    Column("published_at", Float, nullable=False),
    sqlite_autoincrement=True,
)

probes = Table(
    "probes",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("at", Float, nullable=False),
)
