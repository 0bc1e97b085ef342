"""Listening on this machine for the browser that comes back from the consent page.

One path, GET alone, no log of requests. The browser begins at the start page: it is opened by one
browser only, gives it a cookie, and leads on to TikTok's consent page, whose address with the state
in it thus stands on no command line. A code is taken from the browser with the cookie alone. It
leaves the address bar at once: the callback is answered with a redirect to the path without it.
"""

from __future__ import annotations

import errno
import hmac
import io
import os
import secrets
import select
import socket
import threading
import time
from collections import deque
from contextlib import ExitStack, suppress
from dataclasses import replace
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from queue import Empty, SimpleQueue
from socketserver import ThreadingTCPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit

from tap_tiktok_auth.errors import AuthorizationRequired, ConfigurationError
from tap_tiktok_auth.login.browser import HEADERS, page
from tap_tiktok_auth.login.consent import (
    AuthorizationResponse,
    NotTheCallbackError,
    denial,
    read_address,
    read_query,
)
from tap_tiktok_auth.login.plan import LISTENABLE

if TYPE_CHECKING:
    from collections.abc import Callable

    from typing_extensions import Self

    from tap_tiktok_auth.login.consent import AuthorizationRequest

#: Where only the start page is served, at any free port: the callback does not come here.
START_PAGE_ONLY = "http://127.0.0.1:0/"
#: Seconds between two looks at whether the browser has come back.
_STEP = 0.2
#: Seconds that the browser waits for the end of the login before it is told to look elsewhere.
_PAGE_PATIENCE = 45.0
#: Seconds that the end of the login waits for the browser to fetch its page.
_CLOSE_PATIENCE = 3.0
#: Seconds within which a whole request must have come, and how long it may be.
_REQUEST_SECONDS, _REQUEST_BYTES = 10.0, 16_384
#: How many requests are read at a time; one more ends the oldest of them.
_MOST_READ = 16
_OUTCOME, _OTHER = "outcome", "other-login"


class Listener:
    """Waits for the response to one authorization request; use it as a context manager.

    Args:
        request: The request.
        tell: Called, in another thread, with what the person should know.
        address: Where to listen, if that is not the redirect URI; port 0 is any.

    Raises:
        ConfigurationError: The port is taken or not allowed.
    """

    def __init__(
        self,
        request: AuthorizationRequest,
        tell: Callable[[str], None] = lambda _: None,
        address: str | None = None,
    ) -> None:
        self.request = request
        self.tell = tell
        self.takes_callback = address is None
        parts = urlsplit(address or request.redirect_uri)
        self.host, self.path = parts.hostname or "", parts.path or "/"
        self.ticket, self.cookie = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        self.outcome: bytes | None = None
        self.ended, self.redirected, self.shown = (threading.Event() for _ in range(3))
        self.reading: deque[socket.socket] = deque()
        self._arrived: SimpleQueue[AuthorizationResponse | AuthorizationRequired] = SimpleQueue()
        self._once = threading.Lock()
        self._started = self._answered = False
        self._servers = _listen(self, parts.port or 0)
        self.port = int(self._servers[0].server_address[1])

    @property
    def start_url(self) -> str:
        """The address of the start page."""
        return f"http://{self.host}:{self.port}{self.path}?start={self.ticket}"

    def __enter__(self) -> Self:
        for server in self._servers:
            threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        if self.redirected.is_set() and self.outcome is not None:
            self.shown.wait(_CLOSE_PATIENCE)
        for server in self._servers:
            server.shutdown()
            server.server_close()

    def take(self) -> AuthorizationResponse | None:
        """Return the response if it has come.

        Raises:
            AuthorizationRequired: Two browsers came for the login.
        """
        with suppress(Empty):
            arrived = self._arrived.get_nowait()
            if isinstance(arrived, AuthorizationRequired):
                raise arrived
            return arrived
        return None

    def conclude(self, page: bytes) -> None:
        """Show this page to the browser, which waits for it."""
        self.outcome = page
        self.ended.set()

    def start(self) -> bool:
        """Open the start page; whether it is for the first time.

        The second browser may be that of another user who saw the address, and so may the first:
        the login is given up.
        """
        with self._once:
            first, self._started = not self._started, True
        if not first:
            self._arrived.put(
                AuthorizationRequired(
                    "the login's page was opened by two browsers, one of which may be somebody "
                    "else's, so nothing was taken from either",
                    next_step="Run again: tiktok-auth login {connection}",
                ).of(self.request.connection)
            )
        return first

    def accept(self, response: AuthorizationResponse) -> None:
        """Take the response, once."""
        with self._once:
            if not self._answered:
                self._answered = True
                self._arrived.put(replace(response, state=self.request.state))


class TypedLines:
    """Lines that a person types or pastes, read without blocking.

    Args:
        handle: The file descriptor of the terminal.
    """

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._rest = b""
        self.ended = False

    def line(self, seconds: float) -> str | None:
        """Return the next line if one comes within *seconds*."""
        if self.ended:
            time.sleep(seconds)
            return None
        if b"\n" not in self._rest and select.select([self._handle], [], [], seconds)[0]:
            piece = os.read(self._handle, 65_536)
            self.ended = not piece
            self._rest += piece
        line, newline, rest = self._rest.partition(b"\n")
        if not newline:
            return None
        self._rest = rest
        return line.decode("utf-8", "replace")


def wait_for_response(
    request: AuthorizationRequest,
    listener: Listener | None,
    typed: TypedLines,
    seconds: float,
    tell: Callable[[str], None],
) -> tuple[AuthorizationResponse, bool] | None:
    """Wait until the response comes by one of two ways.

    Args:
        request: The request.
        listener: Where the browser begins, and comes back to if it comes to this machine.
        typed: What the person pastes.
        seconds: How long to wait.
        tell: Tells the person what is wrong with what was pasted.

    Returns:
        The response, and whether it came to the listener; None if the time is over, or if only a
        paste could bring it and the person has ended the input.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        response = listener.take() if listener is not None else None
        if response is not None:
            return response, True
        if typed.ended and (listener is None or not listener.takes_callback):
            return None
        line = typed.line(_STEP)
        if line is None or not line.strip():
            continue
        try:
            return read_address(line, request), False
        except NotTheCallbackError as problem:
            tell(str(problem))
    return None


def _listen(listener: Listener, port: int) -> list[_Server]:
    """Return servers on each address that a browser may look for the host of the callback at.

    Who has the other half of `localhost` would get the code from half of the browsers.
    """
    servers: list[_Server] = []
    hosts = ("127.0.0.1", "::1") if listener.host == "localhost" else ("127.0.0.1",)
    with ExitStack() as stack:
        for host in hosts:
            try:
                servers.append(_Server((host, port), listener))
            except OSError as error:
                if servers and error.errno in {errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT}:
                    break  # a machine without IPv6
                why = error.strerror or type(error).__name__
                raise ConfigurationError(
                    f"cannot listen on port {port} of this machine: {why}",
                    next_step="End what uses the port, or choose another one with --port, which "
                    "must be registered for the app too.",
                ) from None
            stack.callback(servers[-1].server_close)
            port = int(servers[0].server_address[1])
        stack.pop_all()
    return servers


class _Server(ThreadingTCPServer):
    # A browser opens connections ahead of time and leaves them idle: none may block the others.
    daemon_threads = True
    # The port of a login that has just ended can be taken again at once.
    allow_reuse_address = True
    request_queue_size = 128

    def __init__(self, address: tuple[str, int], listener: Listener) -> None:
        self.address_family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.listener = listener
        self._stranger_told = False
        super().__init__(address, _Handler)

    def verify_request(self, request: object, client_address: object) -> bool:
        """Turn other users of this machine away."""
        assert isinstance(client_address, tuple)  # noqa: S101  (so it is for TCP)
        stranger = _other_user(client_address[1], self.listener.port)
        if stranger is not None and not self._stranger_told:
            self._stranger_told = True
            self.listener.tell(
                f"Another user of this machine, with the id {stranger}, came for this login and "
                "was turned away."
            )
        if stranger is None and isinstance(request, socket.socket):
            self.listener.reading.append(request)
            if len(self.listener.reading) > _MOST_READ:
                with suppress(OSError):
                    self.listener.reading.popleft().shutdown(socket.SHUT_RD)
        return stranger is None

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing when a browser hangs up."""


def _other_user(port: int, ours: int) -> int | None:
    """Return the user at *port* of a connection to *ours*, if it is neither we nor root.

    Linux alone tells; elsewhere there is always None.
    """
    me, users = getattr(os, "geteuid", lambda: 0)(), set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6") if me else ():
        with suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[1].endswith(f":{port:04X}") and fields[2].endswith(f":{ours:04X}"):
                    users.add(int(fields[7]))
    return next(iter(users - {me, 0}), None)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    server_version = "tiktok-auth"
    sys_version = ""

    def setup(self) -> None:
        """Read the whole request before anything is made of it."""
        super().setup()
        request, ends = b"", time.monotonic() + _REQUEST_SECONDS
        with suppress(OSError):
            while b"\r\n\r\n" not in request and len(request) < _REQUEST_BYTES:
                self.connection.settimeout(max(ends - time.monotonic(), 0.001))
                piece = self.connection.recv(4096)
                if not piece:
                    break
                request += piece
        with suppress(ValueError):
            self.server.listener.reading.remove(self.connection)
        self.rfile = io.BytesIO(request)

    def do_GET(self) -> None:
        """Answer a request."""
        listener = self.server.listener
        path, _, query = self.path.partition("?")
        fields = parse_qs(query)
        if not self._is_for_us() or _plain(path) != _plain(listener.path):
            self._send(HTTPStatus.NOT_FOUND, page("nothing_here"))
        elif "start" in fields and _is_same(fields["start"][0], listener.ticket):
            self._start()
        elif fields.get("page") == [_OTHER]:
            self._send(HTTPStatus.BAD_REQUEST, page("other_login"))
        elif fields.get("page") == [_OUTCOME] and self._is_known():
            listener.ended.wait(_PAGE_PATIENCE)
            self._send(HTTPStatus.OK, listener.outcome or page("unfinished"))
            if listener.outcome is not None:
                listener.shown.set()
        else:
            self._call_back(path, query)

    def _start(self) -> None:
        listener = self.server.listener
        if not self._is_known() and not listener.start():
            self._send(HTTPStatus.GONE, page("opened_already"))
            return
        cookie = f"{self._cookie_name()}={listener.cookie}; HttpOnly; SameSite=Lax"
        self._send(HTTPStatus.SEE_OTHER, location=listener.request.url, cookie=cookie)

    def _call_back(self, path: str, query: str) -> None:
        listener = self.server.listener
        try:
            response = read_query(query)
        except NotTheCallbackError:
            response = AuthorizationResponse()
        if not response.is_complete:
            self._send(HTTPStatus.NOT_FOUND, page("nothing_here"))
        elif response.state and not response.belongs_to(listener.request.state):
            listener.tell("A callback of another login came and was not used. Still waiting.")
            self._send(HTTPStatus.SEE_OTHER, location=f"{path}?page={_OTHER}")
        elif self._is_known():
            listener.accept(response)
            listener.redirected.set()
            self._send(HTTPStatus.SEE_OTHER, location=f"{path}?page={_OUTCOME}")
        elif response.error:  # to end a login takes no cookie: a refusal gives nothing away
            listener.accept(response)
            name, cause = listener.request.connection, denial(response).cause
            self._send(HTTPStatus.OK, page("failed", name, cause))
        else:
            self._send(HTTPStatus.FORBIDDEN, page("not_opened_here"))

    def _is_for_us(self) -> bool:
        """Whether a browser was led here, as a page of its own, under this machine's own name.

        Another name that points to this machine is a foreign page's way to talk to it, and so are
        images and frames. A page that is fetched ahead of its person may never be shown.
        """
        hosts, port = self.headers.get_all("Host", []), self.server.listener.port
        names = {f"{name}:{port}" for name in LISTENABLE} | (LISTENABLE if port == 80 else set())
        is_page = self.headers.get("Sec-Fetch-Dest", "document") == "document"
        is_ahead = "Sec-Purpose" in self.headers or "Purpose" in self.headers
        return len(hosts) == 1 and hosts[0].lower() in names and is_page and not is_ahead

    def _is_known(self) -> bool:
        """Whether it is the browser that opened the start page."""
        pairs = ";".join(self.headers.get_all("Cookie", [])).split(";")
        ours = f"{self._cookie_name()}={self.server.listener.cookie}"
        return any(_is_same(pair.strip(), ours) for pair in pairs)

    def _cookie_name(self) -> str:
        # Browsers do not tell the ports of a host apart when they choose cookies.
        return f"tiktok-auth-{self.server.listener.port}"

    def _send(
        self, status: int, body: bytes = b"", *, location: str = "", cookie: str = ""
    ) -> None:
        self.send_response(status)
        more = {"Location": location, "Set-Cookie": cookie}
        for name, value in (*HEADERS.items(), *more.items()):
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no GET request, without repeating any of it."""
        del message, explain
        self.close_connection = True
        with suppress(OSError):
            self._send(HTTPStatus(code), page("nothing_here"))

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  (the base's name)
        """Log nothing: a request's address holds the code."""


def _plain(path: str) -> str:
    """Return a path without the escapes that a browser may add; http.server joins first slashes."""
    return "/" + unquote(path).lstrip("/")


def _is_same(text: str, secret: str) -> bool:
    return hmac.compare_digest(text.encode("utf-8", "surrogateescape"), secret.encode())
