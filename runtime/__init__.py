"""What makes Temporal ours: encryption, logging, interceptors, connecting."""
