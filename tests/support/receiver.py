"""A webhook receiver, like the web server of a practice."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """Records the headers and raw body of each delivery. Answers with ``status``."""

    def __init__(self) -> None:
        self.status = 200
        self.deliveries: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    def accept(self, headers: dict[str, str], raw: bytes) -> int:
        self.deliveries.append((headers, raw))
        return self.status


@contextmanager
def running_receiver() -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers["content-length"]))
            self.send_response(receiver.accept({k.lower(): v for k, v in self.headers.items()}, raw))
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_port}/webhooks/nexhealth"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
