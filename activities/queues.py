"""The names of task queues."""


def practice_queue(connection: str) -> str:
    """Queue of the activities on one connection. One queue per connection, so that a hanging office blocks no other."""
    return f"practice-{connection}"
