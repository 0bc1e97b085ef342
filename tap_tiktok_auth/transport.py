"""Knowing whether a request has left this machine.

That decides whether a single-use credential may be sent again: `requests` alone does not tell a
TLS handshake that failed from an answer that broke off.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import NameResolutionError

from tap_tiktok_auth.errors import NoAnswer, Unreachable

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.messages import Request


class WatchedAdapter(HTTPAdapter):
    """A transport that notes, for each thread, when the first byte of a request leaves.

    Args:
        connections: How many connections are kept open.
    """

    def __init__(self, connections: int) -> None:
        self._thread = threading.local()
        super().__init__(pool_maxsize=connections, max_retries=0)

    def forget(self) -> None:
        """Forget about former requests of this thread."""
        self._thread.left = False

    def bytes_left(self) -> bool:
        """Whether a byte of this thread's request has left."""
        return bool(getattr(self._thread, "left", False))

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: D102, ANN401
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools()

    def proxy_manager_for(self, *args: Any, **kwargs: Any) -> Any:  # noqa: D102, ANN401
        manager = super().proxy_manager_for(*args, **kwargs)
        manager.pool_classes_by_scheme = self._pools()
        return manager

    def _pools(self) -> dict[str, type[HTTPConnectionPool]]:
        thread = self._thread

        class Watched(_Watched, HTTPConnection):
            watched = thread

        class WatchedTls(_Watched, HTTPSConnection):
            watched = thread

        class Pool(HTTPConnectionPool):
            ConnectionCls = Watched

        class TlsPool(HTTPSConnectionPool):
            ConnectionCls = WatchedTls

        return {"http": Pool, "https": TlsPool}


class _Watched:
    """Lets a connection note when it sends."""

    watched: threading.local
    sock: Any
    auto_open: Any

    def connect(self) -> None:
        super().connect()  # type: ignore[misc]
        self.watched.left = False  # what a proxy was told is not the request

    def send(self, data: Any) -> None:  # noqa: ANN401
        if self.sock is None and self.auto_open:
            self.connect()
        self.watched.left = True
        super().send(data)  # type: ignore[misc]


def no_answer(request: Request, error: Exception) -> NoAnswer:
    """Return the error of a request that left and was not answered."""
    problem = "did not answer in time" if isinstance(error, requests.Timeout) else "broke off"
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
    else:
        problem = "no connection"
    return Unreachable(
        f"{_host(request)} cannot be reached: {problem}",
        next_step="Check the network and the settings business_api_url and login_kit_api_url.",
    )


def _host(request: Request) -> str:
    parts = urlsplit(request.url)
    return parts.netloc.rpartition("@")[2]
