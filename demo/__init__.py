"""A practice's morning, played against the real programs; what differs from production is configuration only."""
