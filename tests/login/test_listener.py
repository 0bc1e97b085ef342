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


def get(
    listener: Listener, query: str = "", path: str = PATH, *, known: bool = True, **headers: str
) -> requests.Response:
    """Ask the listener for an address, without following it.

    Args:
        listener: The listener.
        query: The query of the address.
        path: The path of the address.
        known: Whether the browser has the cookie of the start page.
        headers: More headers.
    """
    url = f"http://127.0.0.1:{listener.port}{path}{query}"
    cookie = {"Cookie": f"tiktok-auth-{listener.port}={listener.cookie}"} if known else {}
    headers = {**cookie, **{name.replace("_", "-"): text for name, text in headers.items()}}
    return requests.get(url, headers=headers, allow_redirects=False, timeout=10)


def ask_raw(listener: Listener, target: str, headers: str) -> bytes:
    """Send a request with the cookie and these header lines; return the whole answer."""
    cookie = f"Cookie: tiktok-auth-{listener.port}={listener.cookie}\r\n"
    with socket.create_connection(("127.0.0.1", listener.port), 10) as browser:
        browser.sendall(f"GET {target} HTTP/1.1\r\n{cookie}{headers}\r\n".encode())
        return b"".join(iter(lambda: browser.recv(4096), b""))


def test_the_start_page_leads_to_tiktok_and_leaves_a_cookie(listener: Listener) -> None:
    """A browser that opens the start page is known by a cookie that no script and no site sees."""
    answer = requests.get(listener.start_url, allow_redirects=False, timeout=10)
    name = f"tiktok-auth-{listener.port}"
    assert (answer.status_code, answer.headers["Location"]) == (303, CONSENT)
    assert answer.headers["Set-Cookie"] == f"{name}={answer.cookies[name]}; HttpOnly; SameSite=Lax"
    assert STATE not in listener.start_url
    assert answer.cookies[name] not in listener.start_url


def test_a_browser_may_open_the_start_page_again(listener: Listener) -> None:
    """Whoever goes back to the start page in the same browser comes to TikTok once more."""
    browser = requests.Session()
    for _ in range(2):
        assert browser.get(listener.start_url, allow_redirects=False, timeout=10).status_code == 303
    assert listener.take() is None


def test_two_browsers_end_the_login(listener: Listener) -> None:
    """When a second browser comes, one of the two may be a stranger's: neither is believed."""
    first, second = (requests.get(listener.start_url, allow_redirects=False) for _ in range(2))
    assert (first.status_code, second.status_code) == (303, 410)
    assert "Set-Cookie" not in second.headers
    get(listener, f"?code=c&state={STATE}")
    with pytest.raises(AuthorizationRequired, match="opened by two browsers"):
        listener.take()


@pytest.mark.parametrize("query", [f"?code=c&state={STATE}", f"?auth_code=c&state={STATE}&code=c"])
@pytest.mark.parametrize(
    "cookie", ["", "tiktok-auth-{port}=", "tiktok-auth-{port}=x; a=b", "{only}"]
)
def test_a_code_is_taken_from_the_browser_with_the_cookie_alone(
    listener: Listener, query: str, cookie: str
) -> None:
    """Who knows the state, but did not open the start page, is told to paste the address."""
    text = cookie.format(port=listener.port, only=listener.cookie)
    answer = get(listener, query, known=False, Cookie=text)
    assert answer.status_code == 403
    assert "paste it into the terminal" in answer.text
    assert listener.take() is None
    assert get(listener, "?page=outcome", known=False).status_code == 404


@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("state", ["", f"&state={STATE}"])
def test_a_refusal_counts_with_and_without_state(
    listener: Listener, state: str, *, known: bool
) -> None:
    """TikTok's no ends the login at once: no code comes with it that could be a stranger's."""
    query = f"?error=invalid_scope&error_description=not+yours{state}"
    answer = get(listener, query, known=known)
    callback = listener.take()
    assert answer.status_code == (303 if known else 200)
    assert callback is not None
    assert (callback.error, callback.state) == ("invalid_scope", STATE)
    assert known or "not yours" in answer.text


@pytest.mark.parametrize("kind", ["image", "iframe", "script", "empty"])
def test_nothing_that_a_foreign_page_loads_counts(listener: Listener, kind: str) -> None:
    """An image or a frame of some page cannot end a login, nor answer it."""
    for query in (f"?code=c&state={STATE}", "?error=access_denied"):
        assert get(listener, query, Sec_Fetch_Dest=kind).status_code == 404
    assert listener.take() is None
    assert get(listener, f"?code=c&state={STATE}", Sec_Fetch_Dest="document").status_code == 303


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
        answer = get(listener, f"?{query}&code=c&state={STATE}", asked)
        assert (answer.status_code, answer.headers["Location"]) == (303, f"{asked}?page=outcome")
        assert get(listener, f"?code=c&state={STATE}", f"{asked}x").status_code == 404


def test_the_code_leaves_the_address_bar_at_once_and_counts_once(listener: Listener) -> None:
    """The callback is answered with a redirect to the same path that carries no secret."""
    for _ in range(3):
        answer = get(listener, f"?code=c%2A1&state={STATE}")
        assert (answer.status_code, answer.headers["Location"]) == (303, f"{PATH}?page=outcome")
    response = listener.take()
    assert response is not None
    assert (response.code, response.state) == ("c*1", STATE)
    assert listener.take() is None


def test_the_browser_sees_how_the_login_ended(listener: Listener) -> None:
    """The page that follows waits for the end of the login and tells it."""
    get(listener, f"?code=c&state={STATE}")
    shown: list[requests.Response] = []
    browser = threading.Thread(target=lambda: shown.append(get(listener, "?page=outcome")))
    browser.start()
    listener.conclude(page("connected", "acme", facts=[("Scopes", "1, 2")]))
    browser.join(10)
    assert "Connected" in shown[0].text
    assert shown[0].status_code == 200


@pytest.mark.parametrize("state", ["", "wrong", STATE[:-1], STATE + "x", STATE.upper()])
def test_another_logins_callback_is_not_used(
    listener: Listener, told: list[str], state: str
) -> None:
    """A wrong state gets a page that says so, and the login goes on waiting."""
    answer = get(listener, f"?code=c&state={state}")
    if state:
        assert answer.headers["Location"] == f"{PATH}?page=other-login"
        page = get(listener, "?page=other-login")
        assert (page.status_code, len(told)) == (400, 1)
        assert "another login" in page.text
    else:
        assert answer.status_code == 404
    assert listener.take() is None
    get(listener, f"?code=good&state={STATE}")
    callback = listener.take()
    assert callback is not None
    assert callback.code == "good"


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/", ""),
        ("/favicon.ico", ""),
        ("/callback", f"?code=c&state={STATE}"),
        ("/callback/x", f"?code=c&state={STATE}"),
        (PATH, ""),
        (PATH, f"?state={STATE}"),
        (PATH, "?code=c"),
        (PATH, f"?code=c&code=d&state={STATE}"),
        (PATH, f"?code=c&state={STATE}&state=x"),
    ],
)
def test_only_the_callback_is_served(listener: Listener, path: str, query: str) -> None:
    """Every other path, and the path without a whole answer, is not found."""
    answer = get(listener, query, path)
    assert answer.status_code == 404
    assert listener.take() is None


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "DELETE", "OPTIONS", "BREW"])
def test_only_get_is_served(listener: Listener, method: str) -> None:
    """Other methods are refused and nothing of them is taken in."""
    url = f"http://127.0.0.1:{listener.port}{PATH}?code=c&state={STATE}"
    cookie = {f"tiktok-auth-{listener.port}": listener.cookie}
    answer = requests.request(
        method, url, data=b"", cookies=cookie, allow_redirects=False, timeout=10
    )
    assert answer.status_code == 501
    assert listener.take() is None


@pytest.mark.parametrize(
    ("hosts", "status"),
    [
        (["127.0.0.1:{port}"], 303),
        (["LocalHost:{port}"], 303),
        (["evil.example"], 404),
        (["localhost"], 404),
        (["127.0.0.1:1"], 404),
        ([""], 404),
        ([], 404),
        (["localhost:{port}", "localhost:{port}"], 404),
    ],
)
def test_only_names_of_this_machine_are_served(
    listener: Listener, hosts: list[str], status: int
) -> None:
    """A page whose name was bound to 127.0.0.1 cannot talk to the listener, and no one has two."""
    lines = "".join(f"Host: {host.format(port=listener.port)}\r\n" for host in hosts)
    answer = ask_raw(listener, f"{PATH}?code=c&state={STATE}", lines)
    assert answer.startswith(f"HTTP/1.0 {status} ".encode())
    assert (listener.take() is None) is (status == 404)


@pytest.mark.parametrize("form", ["http://localhost:{}", "http://evil.example:{}", "//evil", "x"])
def test_requests_in_the_form_for_proxies_are_refused(listener: Listener, form: str) -> None:
    """A request that names more than a path is no browser's that was sent here."""
    host = f"Host: localhost:{listener.port}\r\n"
    target = f"{form.format(listener.port)}{PATH}?code=c&state={STATE}"
    assert b" 404 " in ask_raw(listener, target, host)
    assert listener.take() is None
    assert b" 303 " in ask_raw(listener, f"{PATH}?code=c&state={STATE}", host)


@pytest.mark.parametrize(
    "query", ["", f"?code=c&state={STATE}", "?code=c&state=x", "?page=other-login"]
)
def test_every_answer_is_guarded(listener: Listener, query: str) -> None:
    """No answer may be kept, framed, or tell its address to others; none runs a script."""
    headers = get(listener, query).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "frame-ancestors 'none'" in policy
    assert "Python" not in headers["Server"]


def test_nothing_is_logged(listener: Listener, capfd: pytest.CaptureFixture[str]) -> None:
    """Neither requests nor broken ones leave a trace on stdout or stderr."""
    get(listener, f"?code=c&state={STATE}")
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
        assert get(listener, f"?code=c&state={STATE}").status_code == 303
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
        assert get(listener, f"?code=c&state={STATE}").status_code == 303


def test_a_taken_port_is_told_with_its_mend(listener: Listener) -> None:
    """A port that another program has is a plain error that names --port."""
    with pytest.raises(ConfigurationError, match=f"port {listener.port} .*--port"):
        Listener(request_to(f"http://127.0.0.1:{listener.port}/"))


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


def test_wrong_pastes_are_told_and_the_right_one_is_taken(pipe: tuple[int, int]) -> None:
    """Empty lines are passed over, wrong ones answered, and the right one ends the wait."""
    told: list[str] = []
    right = f"https://example.com/?code=c&state={STATE}"
    os.write(pipe[1], f"\n \nnonsense\n{right}x\n{right}\n".encode())
    came = wait_for_response(WAITING, None, TypedLines(pipe[0]), 10, told.append)
    assert came is not None
    assert (came[0].code, came[1]) == ("c", False)
    assert [line.split(".")[0] for line in told] == [
        "That is not an address",
        "That address belongs to another login, an older one perhaps",
    ]


def test_a_wait_ends_with_its_time_or_with_the_last_way_to_answer(pipe: tuple[int, int]) -> None:
    """Whoever ends the input may still answer in the browser, if that comes to this machine."""
    assert wait_for_response(WAITING, None, TypedLines(pipe[0]), 0, print) is None
    os.close(pipe[1])
    typed = TypedLines(pipe[0])
    with Listener(WAITING, address="http://127.0.0.1:0/") as start_page:
        assert wait_for_response(WAITING, start_page, typed, 60, print) is None
    assert typed.ended
    came = iter([None, None, AuthorizationResponse(STATE, code="c")])
    listener = SimpleNamespace(takes_callback=True, take=lambda: next(came))
    answer = wait_for_response(WAITING, listener, typed, 60, print)  # type: ignore[arg-type]
    assert answer == (AuthorizationResponse(STATE, code="c"), True)


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
