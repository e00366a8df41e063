"""NexHealth's Synchronizer API and the offices behind it. Accepted writes reach an office later."""
