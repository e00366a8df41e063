"""Everything around Temporal and the settings: keys, encryption, logging, interceptors, connecting, the process."""
