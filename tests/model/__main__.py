"""Runs the hold protocol with random examples: ``python -m tests.model --examples 5000``."""

import argparse
import logging
import tempfile

import structlog

from tests.model.test_hold_protocol import run_model


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.model", description=__doc__)
    parser.add_argument("--examples", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=20, help="maximum number in each example")
    parser.add_argument("--ledger", help="URL of the ledger's database; default: a temporary SQLite file")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with tempfile.TemporaryDirectory() as folder:
        url = options.ledger or f"sqlite:///{folder}/ledger.db"
        run_model(url, max_examples=options.examples, stateful_step_count=options.steps, database=None)


if __name__ == "__main__":
    main()
