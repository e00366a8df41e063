"""Take each guard out of a copy of the tree, and see that the tests named for it fail: ``python -m tests.guards``."""
