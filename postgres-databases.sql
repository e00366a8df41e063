-- Databases and their users, for docker-compose.temporal.yml. It can run again at any time: it creates what is missing,
-- and sets the passwords to those of .env. Each user owns its databases and cannot connect to the others'.
\set ON_ERROR_STOP on
\getenv temporal_password TEMPORAL_DB_PASSWORD
\getenv ledger_password LEDGER_DB_PASSWORD

SELECT format('CREATE ROLE %I LOGIN', name)
FROM (VALUES ('temporal'), ('ledger')) AS wanted (name)
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) \gexec

ALTER ROLE temporal PASSWORD :'temporal_password';
ALTER ROLE ledger PASSWORD :'ledger_password';

SELECT format('CREATE DATABASE %I OWNER %I', name, owner)
FROM (VALUES ('temporal', 'temporal'), ('temporal_visibility', 'temporal'), ('holdfast', 'ledger'))
    AS wanted (name, owner)
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec

REVOKE CONNECT ON DATABASE temporal, temporal_visibility, holdfast FROM PUBLIC;
