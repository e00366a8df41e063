"""Webhooks of practice systems: verify a delivery, find the booking it is about, and signal the booking."""
