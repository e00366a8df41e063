"""The rules of booking, as pure code: no I/O, no clock, no framework."""
