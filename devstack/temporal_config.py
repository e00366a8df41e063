"""How the dev stack configures Temporal's server. ``temporal-dynamic-config.yml`` says the same to Docker Compose."""

DYNAMIC_CONFIG = {
    "matching.enableFairness": "true",
    "matching.numTaskqueueReadPartitions": "1",
    "matching.numTaskqueueWritePartitions": "1",
    "history.transferProcessorMaxPollRPS": "2000",
    "limit.maxIDLength": "255",
}
"""Fairness makes locations take turns. It works within one partition of a task queue only, so there is one."""
