"""Everything that touches the outside: practice systems, messaging, the ledger."""
