"""``python -m sandbox --port N --db PATH``: serve the sandbox, by default on 127.0.0.1 only."""

import argparse
import os
import socket
import sqlite3
import sys
from pathlib import Path
from typing import NoReturn

import uvicorn

from sandbox.app import create_app


def main() -> None:
    """Serve until a signal comes. Exit code 2 with one sentence if it cannot begin."""
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=_parse_port, default=8090)
    parser.add_argument("--db", type=Path, default=Path("sandbox.db"), help="SQLite file that keeps the state")
    parser.add_argument("--contracts", type=Path, help="folder with the vendors' OpenAPI documents")
    options = parser.parse_args()
    # It accepts well-known credentials and lets anybody change every calendar.
    if os.environ.get("APP_ENV") == "production":
        _refuse("APP_ENV is production, and the sandbox is for development only; unset it")
    try:
        listener = socket.create_server((options.host, options.port))
    except OSError as error:
        reason = str(error.strerror).partition(" (while")[0]  # create_server adds the address in its own way
        _refuse(f"cannot listen on {options.host}:{options.port}: {reason}; choose another --port")
    try:
        app = create_app(options.db, options.contracts)
    except (sqlite3.Error, OSError) as error:
        _refuse(f"cannot use --db {options.db} or --contracts {options.contracts}: {error}")
    config = uvicorn.Config(app, log_level="critical", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


def _parse_port(text: str) -> int:
    """Raises ArgumentTypeError."""
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise argparse.ArgumentTypeError("must be a number from 1 to 65535")
    return int(text)


def _refuse(sentence: str) -> NoReturn:
    print(f"sandbox: {sentence}", file=sys.stderr)
    sys.exit(2)


if __name__ == "__main__":
    main()
