"""Plays the hold protocol at random, for as long as you like: ``python -m tests.model --examples 5000``."""

import argparse
import logging
import tempfile

import structlog

from tests.model.test_hold_protocol import play


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=20, help="at most, in each example")
    parser.add_argument("--ledger", help="URL; without it, SQLite")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as folder:
        url = given.ledger or f"sqlite:///{folder}/ledger.db"
        play(url, max_examples=given.examples, stateful_step_count=given.steps, database=None)


if __name__ == "__main__":
    main()
