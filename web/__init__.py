"""What is called from outside over HTTP: the webhooks of practice systems, and the patients' status pages."""
