"""The rules of booking, as pure code: no I/O, no clock, no framework."""

import zoneinfo

# Time zones come from the pinned package tzdata, not from the machine. Python prefers the machine's data, which may be
# years old, and two machines would then offer the same visit at different times. Every program imports this package
# before it uses a time zone; a zone that somebody read earlier is forgotten.
zoneinfo.reset_tzpath(to=())
zoneinfo.ZoneInfo.clear_cache()
