"""The benchmarks: what is measured, and how. ``make bench`` runs them."""
