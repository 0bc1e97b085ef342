"""Knowing whether a request has left this machine, and ending it when its time is over.

The first decides whether a single-use credential may be sent again: `requests` alone does not tell
a TLS handshake that failed from an answer that broke off. The second is what its timeout is not:
that begins anew with every byte that trickles in.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

if TYPE_CHECKING:
    from collections.abc import Iterator


class Exchange:
    """A request under way, and what is known of it.

    Attributes:
        left: Whether a byte of it has left.
        late: Whether it was cut off because its time was over.
        reuses: Whether it may go over a connection that is open already.
    """

    def __init__(self, *, reuses: bool = True) -> None:
        self.left = False
        self.late = False
        self.reuses = reuses
        self._withheld: list[tuple[bytes, bytes]] = []
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def fill_in(self, blank: dict[str, str], secret: dict[str, str]) -> None:
        """Put a secret in the place of its stand-in in the query once the request leaves."""
        self._withheld.append((urlencode(blank).encode(), urlencode(secret).encode()))

    def with_secrets(self, data: Any) -> Any:  # noqa: ANN401  (head or body, as http.client has it)
        """Return what leaves, with its secrets in place."""
        for blank, secret in self._withheld:
            data = data.replace(blank, secret)
        return data

    def leaves_by(self, way: socket.socket | None) -> None:
        """Note that the request leaves now by the socket *way*.

        Raises:
            TimeoutError: Its time was over before that, so it stays here.
        """
        with self._lock:
            if self.late:
                raise TimeoutError
            self.left = True
            self._socket = way

    def cut_off(self) -> None:
        """End the request: who waits for its answer sees the connection end.

        What has arrived can still be read. A TLS socket's own `shutdown` would forget its keys
        and leave that unreadable, so the plain one below it is ended.
        """
        with self._lock:
            self.late = True
            # TLS through a TLS proxy is no socket, it has one.
            way = getattr(self._socket, "socket", self._socket)
            if isinstance(way, socket.socket):
                with suppress(OSError):
                    socket.socket.shutdown(way, socket.SHUT_RDWR)


#: The request that this thread has under way.
_current: ContextVar[Exchange] = ContextVar("exchange")


class Deadlines:
    """One thread that cuts off what is late, for all requests that are under way.

    A timer for each request would be a thread for each.
    """

    def __init__(self) -> None:
        self._ends: dict[Exchange, float] = {}
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._wakes_at = 0.0

    @contextmanager
    def kept(self, exchange: Exchange, seconds: float) -> Iterator[None]:
        """Have *exchange* be this thread's request, and cut it off if it takes longer."""
        before = _current.set(exchange)
        end = time.monotonic() + seconds
        with self._changed:
            self._ends[exchange] = end
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._cut_off_late_ones, name="tiktok-auth deadlines", daemon=True
                )
                self._thread.start()
            elif end < self._wakes_at:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:  # from here on its socket may serve another request
                self._ends.pop(exchange, None)
            _current.reset(before)

    def _cut_off_late_ones(self) -> None:
        with self._changed:
            while self._ends:
                exchange, self._wakes_at = min(self._ends.items(), key=itemgetter(1))
                rest = self._wakes_at - time.monotonic()
                if rest > 0:
                    self._changed.wait(rest)
                else:
                    del self._ends[exchange]
                    exchange.cut_off()
            self._thread = None


class _Connection(HTTPConnection):
    """A connection that tells its request when it sends."""

    auto_open: Any
    #: Not even if the program has http.client print all requests.
    debuglevel = 0

    @property
    def is_connected(self) -> bool:
        """What urllib3 asks before it uses a connection again."""
        return _current.get().reuses and super().is_connected

    def connect(self) -> None:
        try:
            super().connect()
        finally:
            _current.get().left = False  # what a proxy was told is not the request

    def send(self, data: Any) -> None:  # noqa: ANN401  (as http.client has it)
        if self.sock is None and self.auto_open:
            self.connect()
        exchange = _current.get()
        exchange.leaves_by(self.sock)
        super().send(exchange.with_secrets(data))


class _TlsConnection(_Connection, HTTPSConnection):
    """The same over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


_POOLS: dict[str, type[HTTPConnectionPool]] = {"http": _Pool, "https": _TlsPool}


class Adapter(HTTPAdapter):
    """The transport of `requests`, over connections that tell when a request leaves.

    Args:
        connections: How many connections are kept open.
    """

    def __init__(self, connections: int) -> None:
        super().__init__(pool_maxsize=connections, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  (urllib3 is untyped)
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager
