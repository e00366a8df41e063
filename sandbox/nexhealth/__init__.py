"""NexHealth's Synchronizer API and the offices behind it: what is accepted here is written there, later."""
