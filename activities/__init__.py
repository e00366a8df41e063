"""Temporal activities. Each may run more than once and must take effect once."""
