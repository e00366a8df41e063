"""What the outside calls: webhooks of the practice systems."""
