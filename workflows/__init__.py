"""Decisions and waiting only: deterministic, no I/O, no clock but the workflow's."""
