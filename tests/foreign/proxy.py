"""A proxy that leads one https host of the internet to a server on this machine.

A program whose host is built in can thereby talk to the simulator, unmodified: it is told of the
proxy by `HTTPS_PROXY`, and of the certificate by `REQUESTS_CA_BUNDLE`.
"""

from __future__ import annotations

import socket
import socketserver
import threading

from tests.served import Served


class Proxy(Served):
    """The proxy; every host but one is refused.

    Args:
        host: The host that is led astray.
        port: Where to, on this machine.
    """

    def __init__(self, host: str, port: int) -> None:
        self.asked: list[str] = []
        proxy = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                method, target, _ = self.rfile.readline().decode().split()
                while self.rfile.readline().strip():
                    pass
                proxy.asked.append(target)
                if (method, target) != ("CONNECT", f"{host}:443"):
                    self.wfile.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                    return
                with socket.create_connection(("127.0.0.1", port)) as there:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\n\r\n")
                    back = threading.Thread(target=_copy, args=(there, self.connection))
                    back.start()
                    _copy(self.connection, there)
                    back.join()

        super().__init__(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler))


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return  # either side has gone
