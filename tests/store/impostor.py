"""Somebody who answers in a PostgreSQL server's place, and asks for the password."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl

    from typing_extensions import Self

_TLS_WANTED = 80877103
_ASK = struct.pack("!cii", b"R", 8, 3)


class Impostor:
    """A server that asks for a password in clear text, and keeps what it is told.

    Args:
        tls: What it needs to speak TLS; None if it declines.
        address: Where it listens.
        port: On which port; 0 takes a free one.
    """

    def __init__(
        self,
        *,
        tls: ssl.SSLContext | None = None,
        address: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self._tls = tls
        self._listener = socket.create_server((address, port))
        self.port = int(self._listener.getsockname()[1])
        self.asked = 0
        self.told: list[bytes] = []

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # it was told to stop
            client.settimeout(20)
            with client, contextlib.suppress(OSError):
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        self.asked += 1
        if struct.unpack("!ii", client.recv(8, socket.MSG_PEEK))[1] == _TLS_WANTED:
            client.recv(8)
            client.sendall(b"S" if self._tls else b"N")
            if self._tls:
                client = self._tls.wrap_socket(client, server_side=True)
        with client:
            if client.recv(4096):
                client.sendall(_ASK)
                self.told.append(client.recv(4096))
