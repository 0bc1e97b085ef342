"""Raw servers on a loopback port that misbehave below HTTP."""

from __future__ import annotations

import socket
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class RawServer:
    """Accepts connections and lets a function deal with each.

    Attributes:
        accepted: How many connections came.
        received: What came on each.
    """

    def __init__(self, deal: Callable[[socket.socket, RawServer], None]) -> None:
        self._deal = deal
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._stop = threading.Event()
        self.stopped = self._stop
        self.accepted = 0
        self.received: list[bytes] = []
        self.port = self._listener.getsockname()[1]

    def serve(self) -> None:
        """Deal with connections until told to stop."""
        self._listener.settimeout(0.02)
        while not self._stop.is_set():
            with suppress(TimeoutError):
                connection, _ = self._listener.accept()
                self.accepted += 1
                with connection, suppress(OSError):
                    connection.settimeout(2)
                    self._deal(connection, self)

    def stop(self) -> None:
        """Let `serve` end."""
        self._stop.set()

    def close(self) -> None:
        """Close the listening socket."""
        self._listener.close()


@contextmanager
def serving(deal: Callable[[socket.socket, RawServer], None]) -> Iterator[RawServer]:
    """Run a raw server during the block."""
    server = RawServer(deal)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
        server.close()


def read_request(connection: socket.socket) -> bytes:
    """Read one request with its body."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = connection.recv(65_536)
        if not piece:
            return data
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += connection.recv(65_536)
    return head + b"\r\n\r\n" + body
