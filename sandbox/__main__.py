"""``python -m sandbox --port N --db PATH``: on this machine's loopback only."""

import argparse
from pathlib import Path

import uvicorn

from sandbox.app import create_app


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--db", type=Path, default=Path("sandbox.db"))
    parser.add_argument("--contracts", type=Path, help="folder with the vendors' OpenAPI documents")
    given = parser.parse_args()
    uvicorn.run(
        create_app(given.db, given.contracts), host=given.host, port=given.port, log_level="critical", access_log=False
    )


if __name__ == "__main__":
    main()
