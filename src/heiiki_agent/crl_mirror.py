"""CRLs that this device has, served to others over HTTP: they are signed, so a copy is as good.

    crl-mirror [--file CRL.PEM] [--port 8280]    serve until a signal ends the process

One document, read for each request: `PATH`. Plain HTTP, as RFC 5280 8 has it: who has no valid list yet can
verify no TLS server by one, and nothing in a list is secret. Who may connect is the packet filter's matter.
"""

import argparse
import http.server
import sys
import threading
from collections.abc import Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

FILE = Path("/etc/heiiki/pki/crl.pem")
PORT = 8280
PATH = "/crl.pem"
AT_ONCE = 64
"""Requests that are answered side by side; one more is closed unanswered, and asks again."""
SILENT_S = 5.0
"""A connection on which nothing comes for so long is closed."""


class _Handler(http.server.BaseHTTPRequestHandler):
    timeout = SILENT_S
    server: "Mirror"

    def do_GET(self) -> None:
        """Answer with the lists as they are now."""
        if self.path != PATH:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        try:
            content = self.server.file.read_bytes()
        except OSError:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE, "no CRL is here yet")
            return
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", "application/x-pem-file")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def version_string(self) -> str:
        """Name no program and no version."""
        return "heiiki"

    def log_message(self, *_: Any) -> None:
        """Keep no log: who asks must not fill a disk."""


class Mirror(http.server.ThreadingHTTPServer):
    """The server: a thread for each of at most `AT_ONCE` connections."""

    daemon_threads = True
    request_queue_size = AT_ONCE

    def __init__(self, file: Path, port: int, address: str = "") -> None:
        """Serve `file`; OSError when the port is taken."""
        self.file = file
        self._free = threading.Semaphore(AT_ONCE)
        super().__init__((address, port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer in a thread of its own, or close the connection when too many are at work."""
        if self._free.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer, and make room for the next."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Pass over a client that went away; anything else is told."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handle_error(request, client_address)


def main(arguments: Sequence[str]) -> int:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(prog="heiiki-agent crl-mirror")
    parser.add_argument("--file", type=Path, default=FILE)
    parser.add_argument("--port", type=int, default=PORT)
    chosen = parser.parse_args(arguments)
    with Mirror(chosen.file, chosen.port) as server:
        server.serve_forever()
    return 0
