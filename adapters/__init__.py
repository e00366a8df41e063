"""Code that speaks to systems outside: practice systems, messaging providers, the ledger's database."""
