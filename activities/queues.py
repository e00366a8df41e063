"""Which task queue serves what."""


def practice_queue(connection: str) -> str:
    """Activities on one connection's practice system: few slots each, so that one that hangs harms no other."""
    return f"practice-{connection}"
