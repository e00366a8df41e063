"""``python -m sandbox --port N --db PATH``: serve the sandbox, by default on 127.0.0.1 only."""

import argparse
from pathlib import Path

import uvicorn

from sandbox.app import create_app


def main() -> None:
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--db", type=Path, default=Path("sandbox.db"), help="SQLite file that keeps the state")
    parser.add_argument("--contracts", type=Path, help="folder with the vendors' OpenAPI documents")
    options = parser.parse_args()
    app = create_app(options.db, options.contracts)
    uvicorn.run(app, host=options.host, port=options.port, log_level="critical", access_log=False)


if __name__ == "__main__":
    main()
