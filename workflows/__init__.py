"""Workflows decide and wait. They are deterministic: no I/O, and no clock but the workflow's."""
