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
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NameResolutionError

from tap_tiktok_auth.errors import NoAnswer, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.apis.base import Request


#: Looks at nothing before the watchdog's thread ends.
_PATIENCE = 20


class Watch:
    """What is known of one request that is under way.

    Attributes:
        left: Whether a byte of it has left.
        late: Whether it was cut off because its time was over.

    Args:
        secrets: What to replace in the request by what when it leaves.
    """

    def __init__(self, secrets: tuple[tuple[bytes, bytes], ...] = ()) -> None:
        self.left = False
        self.late = False
        self._secrets = secrets
        self._socket: socket.socket | None = None
        self._lock = threading.Lock()

    def with_secrets(self, data: Any) -> Any:  # noqa: ANN401  (head or body, as http.client has it)
        """Return what leaves, with its secrets in place."""
        for blank, secret in self._secrets:
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

    def over(self) -> None:
        """Let go of the socket, which may serve another request now."""
        with self._lock:
            self._socket = None


class Watchdog:
    """One thread that cuts off what is late, for all requests that are under way.

    A timer for each request would be a thread for each.
    """

    #: Seconds between two looks; so much later than asked for a request may end.
    TICK = 0.05

    def __init__(self) -> None:
        self._deadlines: dict[Watch, float] = {}
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def guard(self, watch: Watch, deadline: float) -> None:
        """Cut off a request at *deadline*, by the steady clock, unless it is released before."""
        with self._lock:
            self._deadlines[watch] = deadline
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(
                    target=self._look, name="tiktok-auth watchdog", daemon=True
                )
                self._thread.start()

    def release(self, watch: Watch) -> None:
        """Let a request be."""
        with self._lock:
            self._deadlines.pop(watch, None)

    def _look(self) -> None:
        idle = 0
        while True:
            time.sleep(self.TICK)
            now = time.monotonic()
            with self._lock:
                late = [watch for watch, at in self._deadlines.items() if at <= now]
                for watch in late:
                    del self._deadlines[watch]
                idle = 0 if self._deadlines or late else idle + 1
                if idle > _PATIENCE:
                    self._thread = None
                    return
            for watch in late:
                watch.cut_off()


class WatchedAdapter(HTTPAdapter):
    """A transport that watches, for each thread, the request that is under way.

    Args:
        connections: How many requests are under way at once.
        watchdog: Ends the requests whose time is over.
        keep_alive: Whether a connection serves one request after another.
    """

    def __init__(self, connections: int, watchdog: Watchdog, *, keep_alive: bool = True) -> None:
        self._thread = threading.local()
        self._watchdog = watchdog
        self._keep_alive = keep_alive
        super().__init__(pool_maxsize=connections, max_retries=0)

    @contextmanager
    def watching(
        self, seconds: float, secrets: tuple[tuple[bytes, bytes], ...] = ()
    ) -> Iterator[Watch]:
        """Watch this thread's request during the block, and cut it off after *seconds*."""
        watch = self._thread.watch = Watch(secrets)
        self._watchdog.guard(watch, time.monotonic() + seconds)
        try:
            yield watch
        finally:
            self._watchdog.release(watch)
            watch.over()

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools()

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools()
        return manager

    def _pools(self) -> dict[str, type[HTTPConnectionPool]]:
        thread, reusable = self._thread, self._keep_alive

        class Watched(_Watched, HTTPConnection):
            watched = thread
            keep_alive = reusable

        class WatchedTls(_Watched, HTTPSConnection):
            watched = thread
            keep_alive = reusable

        class Pool(HTTPConnectionPool):
            ConnectionCls = Watched

        class TlsPool(HTTPSConnectionPool):
            ConnectionCls = WatchedTls

        return {"http": Pool, "https": TlsPool}


class _Watched:
    """Lets a connection note when it sends."""

    watched: threading.local
    keep_alive: bool
    sock: Any
    auto_open: Any
    #: Not even if the program has http.client print all requests.
    debuglevel = 0

    @property
    def is_connected(self) -> bool:
        """What urllib3 asks before it uses a connection again."""
        return self.keep_alive and super().is_connected  # type: ignore[misc]

    def connect(self) -> None:
        try:
            super().connect()  # type: ignore[misc]
        finally:
            self.watched.watch.left = False  # what a proxy was told is not the request

    def send(self, data: Any) -> None:  # noqa: ANN401
        if self.sock is None and self.auto_open:
            self.connect()
        self.watched.watch.leaves_by(self.sock)
        super().send(self.watched.watch.with_secrets(data))  # type: ignore[misc]


def no_answer(request: Request, *, late: bool) -> NoAnswer:
    """Return the error of a request that left and was not answered."""
    problem = "did not answer in time" if late else "broke off"
    return NoAnswer(f"{_host(request)} {problem}", next_step="Run again later.")


def unreachable(request: Request, error: Exception) -> Unreachable:
    """Return the error of a request that did not leave."""
    reason = getattr(error.args[0] if error.args else None, "reason", None)
    if isinstance(reason, NameResolutionError):
        problem = "the host's name is not known"
    elif isinstance(error, requests.exceptions.SSLError):
        problem = "no trusted TLS connection"
    elif isinstance(error, requests.exceptions.ProxyError):
        problem = "the proxy does not let it through"
    elif isinstance(error, requests.Timeout):
        problem = "no connection in time"
    elif not isinstance(error, requests.RequestException):
        problem = "the certificates that REQUESTS_CA_BUNDLE names cannot be read"
    else:
        problem = "no connection"
    return Unreachable(
        f"{_host(request)} cannot be reached: {problem}",
        next_step="Check the network and the settings business_api_url and login_kit_api_url.",
    )


def _host(request: Request) -> str:
    parts = urlsplit(request.url)
    return parts.netloc.rpartition("@")[2]
