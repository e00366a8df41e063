"""Email and SMS providers."""
