"""The six locations of the demo: ids in the practice systems, time zones, providers and operatories."""

TIME_ZONES = {
    "oakland": "America/Los_Angeles",
    "denver": "America/Denver",
    "brooklyn": "America/New_York",
    "portland": "America/Los_Angeles",
    "phoenix": "America/Phoenix",
    "boston": "America/New_York",
}
NEXHEALTH_SYSTEMS = {"portland": "dentrix", "phoenix": "dentrix-enterprise", "boston": "eaglesoft"}
"""The practice system of each location behind NexHealth. The other locations use Ascend."""
LOCATION_IDS = {
    "oakland": "7000000000101",
    "denver": "7000000000102",
    "brooklyn": "7000000000103",
    "portland": "101",
    "phoenix": "102",
    "boston": "103",
}
HYGIENISTS = {"oakland": "9000000000202", "denver": "9000000000204", "brooklyn": "9000000000206"}
DENTISTS = {"oakland": "9000000000201", "denver": "9000000000203", "brooklyn": "9000000000205"}
OPERATORIES = {
    "oakland": ("12000000000301", "12000000000302", "12000000000303"),
    "denver": ("12000000000311", "12000000000312"),
    "brooklyn": ("12000000000321", "12000000000322", "12000000000323"),
}
