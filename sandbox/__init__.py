"""A stand-in for Dentrix Ascend, NexHealth, SendGrid and Twilio that serves their HTTP APIs for development."""

import zoneinfo

zoneinfo.reset_tzpath(to=())  # the same time zones as Holdfast's: those of the package tzdata
zoneinfo.ZoneInfo.clear_cache()
