"""The listener on this machine, spoken to as a browser would, and as an attacker would."""

from __future__ import annotations

import errno
import os
import socket
import socketserver
import threading
from contextlib import ExitStack, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
import requests

from tap_tiktok_auth.errors import AuthorizationRequired, ConfigurationError
from tap_tiktok_auth.login.browser import has_browser, is_elsewhere, open_browser, page
from tap_tiktok_auth.login.consent import AuthorizationRequest, AuthorizationResponse
from tap_tiktok_auth.login.listener import Listener, TypedLines, wait_for_response

if TYPE_CHECKING:
    from collections.abc import Iterator

from tests.cli.terminal import wait_until

STATE = "the-state-of-this-login"
PATH = "/callback/"


CONSENT = f"https://tiktok.example/portal/auth?state={STATE}"
ANSWER = f"{PATH}?code=c&state={STATE}"


def request_to(uri: str = f"http://127.0.0.1:0{PATH}") -> AuthorizationRequest:
    """Return a request whose response comes to an address of this machine; port 0 is any."""
    return AuthorizationRequest("acme", CONSENT, STATE, uri)


@pytest.fixture(name="told")
def _told() -> list[str]:
    return []


@pytest.fixture(name="listener")
def _listener(told: list[str]) -> Iterator[Listener]:
    with Listener(request_to(), told.append) as listener:
        yield listener


def ask(
    listener: Listener,
    target: str = ANSWER,
    *,
    known: bool = True,
    method: str = "GET",
    **more: str,
) -> requests.Response:
    """Ask the listener for an address as the browser of the login would, without following it.

    No answer may be kept, framed, or tell its address to others; none runs a script.

    Args:
        listener: The listener.
        target: The path and query.
        known: Whether the browser has the cookie of the start page.
        method: The HTTP method.
        more: More headers.
    """
    cookie = {"Cookie": f"tiktok-auth-{listener.port}={listener.cookie}"} if known else {}
    headers = {**cookie, **{name.replace("_", "-"): text for name, text in more.items()}}
    url = f"http://127.0.0.1:{listener.port}{target}"
    answer = requests.request(method, url, headers=headers, allow_redirects=False, timeout=10)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "Python" not in answer.headers["Server"]
    return answer


def ask_raw(listener: Listener, target: str, headers: str) -> bytes:
    """Send a request with the cookie and these header lines; return the whole answer."""
    cookie = f"Cookie: tiktok-auth-{listener.port}={listener.cookie}\r\n"
    with socket.create_connection(("127.0.0.1", listener.port), 10) as browser:
        browser.sendall(f"GET {target} HTTP/1.1\r\n{cookie}{headers}\r\n".encode())
        return b"".join(iter(lambda: browser.recv(4096), b""))


def test_the_start_page_leads_to_tiktok_and_leaves_a_cookie(listener: Listener) -> None:
    """A browser that opens the start page is known by a cookie that no script and no site sees.

    The same browser may open it again.
    """
    browser, name = requests.Session(), f"tiktok-auth-{listener.port}"
    for _ in range(2):
        answer = browser.get(listener.start_url, allow_redirects=False, timeout=10)
        cookie = answer.cookies[name]
        assert (answer.status_code, answer.headers["Location"]) == (303, CONSENT)
        assert answer.headers["Set-Cookie"] == f"{name}={cookie}; HttpOnly; SameSite=Lax"
    assert STATE not in listener.start_url
    assert cookie not in listener.start_url
    assert listener.take() is None


def test_two_browsers_end_the_login(listener: Listener) -> None:
    """When a second browser comes, one of the two may be a stranger's: neither is believed."""
    first, second = (requests.get(listener.start_url, allow_redirects=False) for _ in range(2))
    assert (first.status_code, second.status_code) == (303, 410)
    assert "Set-Cookie" not in second.headers
    ask(listener)
    with pytest.raises(AuthorizationRequired, match="opened by two browsers"):
        listener.take()


@pytest.mark.parametrize("target", [ANSWER, f"{PATH}?auth_code=c&state={STATE}&code=c"])
@pytest.mark.parametrize(
    "cookie", ["", "tiktok-auth-{port}=", "tiktok-auth-{port}=x; a=b", "{only}"]
)
def test_a_code_is_taken_from_the_browser_with_the_cookie_alone(
    listener: Listener, target: str, cookie: str
) -> None:
    """Who knows the state, but did not open the start page, is told to paste the address."""
    text = cookie.format(port=listener.port, only=listener.cookie)
    answer = ask(listener, target, known=False, Cookie=text)
    assert answer.status_code == 403
    assert "paste it into the terminal" in answer.text
    assert listener.take() is None
    assert ask(listener, f"{PATH}?page=outcome", known=False).status_code == 404


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("state", ["", f"&state={STATE}"])
def test_a_refusal_counts_with_and_without_state(
    listener: Listener, state: str, *, known: bool
) -> None:
    """TikTok's no ends the login at once: no code comes with it that could be a stranger's."""
    target = f"{PATH}?error=invalid_scope&error_description=not+yours{state}"
    answer = ask(listener, target, known=known)
    response = listener.take()
    assert answer.status_code == (303 if known else 200)
    assert response is not None
    assert (response.error, response.state) == ("invalid_scope", STATE)
    assert known or "not yours" in answer.text


@pytest.mark.parametrize(
    ("target", "headers", "status"),
    [
        ("/", {}, 404),
        ("/favicon.ico", {}, 404),
        (f"/callback?code=c&state={STATE}", {}, 404),
        (f"/callback/x?code=c&state={STATE}", {}, 404),
        (PATH, {}, 404),
        (f"{PATH}?state={STATE}", {}, 404),
        (f"{PATH}?code=c", {}, 404),
        (f"{PATH}?code=c&state=", {}, 404),
        (f"{PATH}?code=c&code=d&state={STATE}", {}, 404),
        (f"{ANSWER}&state=x", {}, 404),
        *((ANSWER, {"method": name}, 501) for name in ("POST", "HEAD", "PUT", "OPTIONS", "BREW")),
        *(
            (target, {"Sec_Fetch_Dest": kind}, 404)
            for kind in ("image", "iframe", "script", "empty")
            for target in (ANSWER, f"{PATH}?error=access_denied")
        ),
        (ANSWER, {"Host": "evil.example"}, 404),
        (ANSWER, {"Host": "localhost"}, 404),
        (ANSWER, {"Host": "127.0.0.1:1"}, 404),
        (ANSWER, {"Host": ""}, 404),
    ],
)
def test_only_a_persons_get_of_the_callback_is_served(
    listener: Listener, target: str, headers: dict[str, str], status: int
) -> None:
    """Other paths and methods, half an answer, foreign pages' images and names count for nothing.

    A name that was bound to this machine is a foreign page's way to talk to the listener.
    """
    assert ask(listener, target, **headers).status_code == status  # type: ignore[arg-type]
    assert listener.take() is None
    assert ask(listener, Sec_Fetch_Dest="document").status_code == 303


@pytest.mark.parametrize("form", ["http://localhost:{}", "http://evil.example:{}", "//evil", "x"])
def test_requests_in_the_form_for_proxies_are_refused(listener: Listener, form: str) -> None:
    """A request that names more than a path, or two hosts, is no browser's that was sent here."""
    host = f"Host: LocalHost:{listener.port}\r\n"
    assert b" 404 " in ask_raw(listener, form.format(listener.port) + ANSWER, host)
    assert b" 404 " in ask_raw(listener, ANSWER, host + host)
    assert listener.take() is None
    assert b" 303 " in ask_raw(listener, ANSWER, host)


@pytest.mark.parametrize(
    ("uri", "asked"),
    [
        ("http://127.0.0.1:0", "/"),
        ("http://127.0.0.1:0/", "/"),
        ("http://127.0.0.1:0?tenant=7", "/"),
        ("http://127.0.0.1:0/cb", "/cb"),
        ("http://127.0.0.1:0/cb?tenant=7", "/cb"),
        ("http://127.0.0.1:0/oauth/cb;v=1/", "/oauth/cb;v=1/"),
        ("http://127.0.0.1:0/r%C3%BCckruf", "/r%C3%BCckruf"),
        ("http://127.0.0.1:0/rückruf", "/r%C3%BCckruf"),
    ],
)
def test_the_path_of_any_registered_address_is_served(uri: str, asked: str) -> None:
    """Wherever TikTok sends the browser on this machine, it is answered, and led on there."""
    query = uri.partition("?")[2]
    with Listener(request_to(uri)) as listener:
        answer = ask(listener, f"{asked}?{query}&code=c&state={STATE}")
        assert (answer.status_code, answer.headers["Location"]) == (303, f"{asked}?page=outcome")
        assert ask(listener, f"{asked}x?code=c&state={STATE}").status_code == 404


def test_the_code_leaves_the_address_bar_at_once_and_counts_once(listener: Listener) -> None:
    """The callback is answered with a redirect to the same path that carries no secret."""
    for _ in range(3):
        answer = ask(listener, f"{PATH}?code=c%2A1&state={STATE}")
        assert (answer.status_code, answer.headers["Location"]) == (303, f"{PATH}?page=outcome")
    response = listener.take()
    assert response is not None
    assert (response.code, response.state) == ("c*1", STATE)
    assert listener.take() is None


def test_the_browser_sees_how_the_login_ended(listener: Listener) -> None:
    """The page that follows waits for the end of the login and tells it."""
    ask(listener)
    shown: list[requests.Response] = []
    browser = threading.Thread(target=lambda: shown.append(ask(listener, f"{PATH}?page=outcome")))
    browser.start()
    listener.conclude(page("connected", "acme", facts=[("Scopes", "1, 2")]))
    browser.join(10)
    assert "Connected" in shown[0].text
    assert shown[0].status_code == 200


@pytest.mark.parametrize("state", ["wrong", STATE[:-1], STATE + "x", STATE.upper()])
def test_another_logins_callback_is_not_used(
    listener: Listener, told: list[str], state: str
) -> None:
    """A wrong state gets a page that says so, and the login goes on waiting."""
    answer = ask(listener, f"{PATH}?code=c&state={state}")
    assert answer.headers["Location"] == f"{PATH}?page=other-login"
    shown = ask(listener, answer.headers["Location"])
    assert (shown.status_code, len(told)) == (400, 1)
    assert "another login" in shown.text
    assert listener.take() is None
    ask(listener)
    assert listener.take() == AuthorizationResponse(STATE, code="c")


def test_nothing_is_logged(listener: Listener, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither requests nor broken ones leave a trace on stdout or stderr."""
    ask(listener)
    for junk in (b"\x16\x03\x01\r\n\r\n", b"GET\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"\0" * 9):
        with socket.create_connection(("127.0.0.1", listener.port), 10) as browser:
            browser.sendall(junk)
            browser.shutdown(socket.SHUT_WR)
            while browser.recv(4096):
                pass
    assert capfd.readouterr() == ("", "")


def test_a_slow_request_gets_no_new_time_with_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever sends a line now and then is dropped when the time for the whole request is over."""
    now = [0.0]
    clock = SimpleNamespace(monotonic=lambda: now[0])
    monkeypatch.setattr("tap_tiktok_auth.login.listener.time", clock)
    with (
        Listener(request_to()) as listener,
        socket.create_connection(("127.0.0.1", listener.port), 10) as slow,
    ):
        slow.sendall(b"GET / HTTP/1.1\r\n")
        wait_until(lambda: listener.reading)
        for seconds in (9.0, 18.0):
            now[0] = seconds
            slow.sendall(b"X: y\r\n")
        wait_until(lambda: not listener.reading)


def test_many_idle_connections_take_few_threads(listener: Listener) -> None:
    """However many connections stand open, a handful is read at a time, and the callback passes."""
    before = threading.active_count()
    with ExitStack() as open_ones:
        for _ in range(150):
            address = ("127.0.0.1", listener.port)
            open_ones.enter_context(socket.create_connection(address, 10))
        assert ask(listener).status_code == 303
        assert len(listener.reading) <= 16
        wait_until(lambda: threading.active_count() - before <= 20)
    assert listener.take() is not None


def test_it_listens_on_this_machine_alone() -> None:
    """Whoever asks for localhost finds it by both of its addresses; other machines find nothing."""
    with Listener(request_to("http://localhost:0/")) as listener:
        for host in ("127.0.0.1", "::1"):
            socket.create_connection((host, listener.port), 10).close()
        for host in ("127.0.0.2", *_own_addresses()):
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((host, listener.port), 10)


def _own_addresses() -> set[str]:
    """Return the addresses under which other machines know this one."""
    found = set()
    for family, far in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))  # sends nothing: it only chooses the address to send from
            found.add(str(probe.getsockname()[0]))
    return found


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_port_that_half_is_taken_is_refused(host: str) -> None:
    """Who has one of localhost's two addresses would get the code: nobody listens beside them."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as stranger:
        stranger.bind((host, 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"port {port} .*--port"):
            Listener(request_to(f"http://localhost:{port}/"))
        for other in {"127.0.0.1", "::1"} - {host}:
            with pytest.raises(OSError, match="refused"):
                socket.create_connection((other, port), 10)


@pytest.mark.parametrize("why", [errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT])
def test_a_machine_without_ipv6_listens_all_the_same(
    monkeypatch: pytest.MonkeyPatch, why: int
) -> None:
    """Where localhost has one address, that one is enough."""
    bind = socketserver.TCPServer.server_bind

    def without_ipv6(server: socketserver.TCPServer) -> None:
        if server.address_family == socket.AF_INET6:
            raise OSError(why, "no IPv6")
        bind(server)

    monkeypatch.setattr(socketserver.TCPServer, "server_bind", without_ipv6)
    with Listener(request_to("http://localhost:0/callback/")) as listener:
        assert ask(listener).status_code == 303


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="only Linux tells whose a socket is")
def test_another_user_of_this_machine_is_turned_away(
    monkeypatch: pytest.MonkeyPatch, listener: Listener, told: list[str]
) -> None:
    """Whoever reads the start page's address from the process list cannot open it."""
    stranger = _socket_of_another_user()
    monkeypatch.setattr("os.geteuid", lambda: 12_345)
    with stranger, suppress(ConnectionError):
        stranger.connect(("127.0.0.1", listener.port))
        stranger.sendall(f"GET {listener.start_url} HTTP/1.1\r\n\r\n".encode())
        assert stranger.recv(100) == b""
    assert "Another user of this machine" in told[0]
    if not os.getuid():  # root sees everything anyway
        assert ask(listener, "/").status_code == 404
    monkeypatch.undo()
    answer = requests.get(listener.start_url, allow_redirects=False, timeout=10)
    assert answer.status_code == 303


def _socket_of_another_user() -> socket.socket:
    """Return a socket that is not of the user 12345, nor of root."""
    if os.geteuid():
        return socket.socket()
    os.seteuid(65_534)
    try:
        return socket.socket()
    finally:
        os.seteuid(0)


def test_pages_escape_what_they_show() -> None:
    """Names from TikTok and errors cannot bring markup into a page."""
    evil = "<script>alert('x')</script>\"'&"
    for kind in ("connected", "asked", "denied", "failed"):
        shown = page(kind, evil, evil, [(evil, evil)])
        assert b"<script" not in shown
        assert b"'x'" not in shown


WAITING = AuthorizationRequest("acme", CONSENT, STATE, "https://example.com/")


@pytest.fixture(name="pipe")
def _pipe() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    for end in (reading, writing):
        with suppress(OSError):
            os.close(end)


def test_lines_that_come_together_are_read_one_by_one(pipe: tuple[int, int]) -> None:
    """A paste of several lines leaves none behind."""
    os.write(pipe[1], b"one\ntwo\nthr")
    typed = TypedLines(pipe[0])
    assert [typed.line(0) for _ in range(3)] == ["one", "two", None]
    os.write(pipe[1], b"ee\xff\n")
    assert typed.line(0) == "three\ufffd"


def test_a_wait_ends_with_the_answer_its_time_or_the_last_way_to_answer(
    pipe: tuple[int, int],
) -> None:
    """Wrong pastes are told; whoever ends the input may still answer in a browser that listens."""
    told: list[str] = []
    right = f"https://example.com/?code=c&state={STATE}"
    os.write(pipe[1], f"\n \nnonsense\n{right}x\n{right}\n".encode())
    response = AuthorizationResponse(STATE, code="c")
    typed = TypedLines(pipe[0])
    assert wait_for_response(WAITING, None, typed, 60, told.append) == (response, False)
    assert [line.split(".")[0] for line in told] == [
        "That is not an address",
        "That address belongs to another login, an older one perhaps",
    ]
    assert wait_for_response(WAITING, None, typed, 0, told.append) is None
    os.close(pipe[1])
    for takes_callback, expected in ((False, None), (True, (response, True))):
        came = iter([None, None, response])
        listener = SimpleNamespace(takes_callback=takes_callback, take=came.__next__)
        answer = wait_for_response(WAITING, listener, typed, 60, print)  # type: ignore[arg-type]
        assert answer == expected


@pytest.mark.parametrize(
    ("environ", "platform", "has", "elsewhere"),
    [
        ({"TERM": "xterm"}, "linux", False, False),
        ({"DISPLAY": ":0"}, "linux", True, False),
        ({"WAYLAND_DISPLAY": "wayland-0"}, "linux", True, False),
        ({"SSH_CONNECTION": "1"}, "linux", False, True),
        ({"SSH_CONNECTION": "1", "DISPLAY": "localhost:10"}, "linux", True, False),
        ({"SSH_CONNECTION": "1", "BROWSER": "/opt/editor/browser.sh"}, "linux", True, False),
        ({"BROWSER": "firefox"}, "linux", True, False),
        ({}, "darwin", True, False),
        ({"SSH_CONNECTION": "1"}, "darwin", False, True),
    ],
)
def test_only_a_window_that_the_person_sees_is_a_browser(
    environ: dict[str, str], platform: str, *, has: bool, elsewhere: bool
) -> None:
    """A browser within the terminal does not count; over ssh it is on the other machine."""
    assert has_browser(environ, platform) is has
    assert is_elsewhere(environ, platform) is elsewhere
    assert has or not open_browser("https://example.com/", {"TERM": "xterm"})
