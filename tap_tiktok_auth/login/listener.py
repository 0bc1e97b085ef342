"""Listening on 127.0.0.1 for the browser that comes back from the consent page.

One path, GET alone, no log of requests. The code leaves the address bar at once: the callback is
answered with a redirect to the same path without it.
"""

from __future__ import annotations

import threading
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from queue import Empty, SimpleQueue
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.login import pages
from tap_tiktok_auth.login.address import LISTENABLE
from tap_tiktok_auth.login.callback import Callback, NotTheCallbackError, read_query

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from typing_extensions import Self

#: Seconds that the browser waits for the end of the login before it is told to look elsewhere.
_PAGE_PATIENCE = 45.0
#: Seconds that the end of the login waits for the browser to fetch its page.
_CLOSE_PATIENCE = 3.0
#: Seconds after which a browser that opens a connection and says nothing is dropped.
_IDLE = 10.0
_OUTCOME, _OTHER = "outcome", "other-login"


class Listener:
    """Waits for the answer to one login; use it as a context manager.

    Args:
        port: The port at 127.0.0.1; 0 takes a free one.
        path: The only path that is served.
        belongs: Whether a callback answers this login.
        on_stranger: Called, in another thread, for a callback that answers another login.

    Raises:
        ConfigurationError: The port is taken or not allowed.
    """

    def __init__(
        self,
        port: int,
        path: str,
        belongs: Callable[[Callback], bool],
        on_stranger: Callable[[], None] = lambda: None,
    ) -> None:
        self._arrived: SimpleQueue[Callback] = SimpleQueue()
        self._desk = _Desk(path, belongs, on_stranger, self._arrived)
        try:
            self._server = _Server(("127.0.0.1", port), self._desk)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise ConfigurationError(
                f"cannot listen on port {port} of this machine: {why}",
                next_step="End what uses the port, or choose another one with --port, which must "
                "be registered for the app too.",
            ) from None
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), daemon=True
        )

    @property
    def port(self) -> int:
        """The port that it listens on."""
        return int(self._server.server_address[1])

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._desk.redirected.is_set() and self._desk.outcome is not None:
            self._desk.shown.wait(_CLOSE_PATIENCE)
        self._server.shutdown()
        self._server.server_close()

    def take(self) -> Callback | None:
        """Return the answer to the login if it has come."""
        with suppress(Empty):
            return self._arrived.get_nowait()
        return None

    def conclude(self, page: bytes) -> None:
        """Show this page to the browser, which waits for it."""
        self._desk.outcome = page
        self._desk.ended.set()


class _Desk:
    """What the listener's requests share."""

    def __init__(
        self,
        path: str,
        belongs: Callable[[Callback], bool],
        on_stranger: Callable[[], None],
        arrived: SimpleQueue[Callback],
    ) -> None:
        self.path = path
        self.belongs = belongs
        self.on_stranger = on_stranger
        self.arrived = arrived
        self.outcome: bytes | None = None
        self.ended = threading.Event()
        self.redirected = threading.Event()
        self.shown = threading.Event()
        self._lock = threading.Lock()
        self._answered = False

    def accept(self, callback: Callback) -> bool:
        """Take the answer to the login, once; whether it was one."""
        if not callback.is_answer or not self.belongs(callback):
            return False
        with self._lock:
            if not self._answered:
                self._answered = True
                self.arrived.put(callback)
        return True


class _Server(ThreadingTCPServer):
    # A browser opens connections ahead of time and leaves them idle: none may block the others.
    daemon_threads = True
    # The port of a login that has just ended can be taken again at once.
    allow_reuse_address = True

    def __init__(self, address: tuple[str, int], desk: _Desk) -> None:
        self.desk = desk
        super().__init__(address, _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing when a browser hangs up."""


@dataclass(frozen=True)
class _Reply:
    status: HTTPStatus
    body: bytes = b""
    location: str | None = None


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = _IDLE
    server_version = "tiktok-auth"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer a request."""
        reply = self._answer()
        self._send(reply)
        if reply.body and reply.body is self.server.desk.outcome:
            self.server.desk.shown.set()

    def _answer(self) -> _Reply:
        desk = self.server.desk
        parts = urlsplit(self.path)
        if not self._is_for_us() or parts.path != desk.path:
            return _Reply(HTTPStatus.NOT_FOUND, pages.nothing_here())
        page = parse_qs(parts.query).get("page")
        if page == [_OUTCOME]:
            desk.ended.wait(_PAGE_PATIENCE)
            return _Reply(HTTPStatus.OK, desk.outcome or pages.unfinished())
        if page == [_OTHER]:
            return _Reply(HTTPStatus.BAD_REQUEST, pages.wrong_state())
        try:
            callback = read_query(parts.query)
        except NotTheCallbackError:
            callback = Callback()
        if desk.accept(callback):
            desk.redirected.set()
            return _Reply(HTTPStatus.SEE_OTHER, location=f"{desk.path}?page={_OUTCOME}")
        if callback.is_answer:
            desk.on_stranger()
            return _Reply(HTTPStatus.SEE_OTHER, location=f"{desk.path}?page={_OTHER}")
        return _Reply(HTTPStatus.NOT_FOUND, pages.nothing_here())

    def _is_for_us(self) -> bool:
        """Whether the browser was led here under this machine's own name.

        Another name that points to 127.0.0.1 is a foreign page's way to talk to this machine.
        """
        hosts = self.headers.get_all("Host", [])
        names = {f"{name}:{self.server.server_address[1]}" for name in LISTENABLE}
        return len(hosts) == 1 and hosts[0].lower() in names

    def _send(self, reply: _Reply) -> None:
        self.send_response(reply.status)
        for name, value in pages.HEADERS.items():
            self.send_header(name, value)
        if reply.location is not None:
            self.send_header("Location", reply.location)
        self.send_header("Content-Length", str(len(reply.body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(reply.body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no GET request, without repeating any of it."""
        del message, explain
        self.close_connection = True
        with suppress(OSError):
            self._send(_Reply(HTTPStatus(code), pages.nothing_here()))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base's name)
        """Log nothing: a request's address holds the code."""
