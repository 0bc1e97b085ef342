"""The listener on this machine, spoken to as a browser would, and as an attacker would."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
import requests

from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.login import pages
from tap_tiktok_auth.login.listener import Listener

if TYPE_CHECKING:
    from collections.abc import Iterator

STATE = "the-state-of-this-login"
PATH = "/callback/"


@pytest.fixture(name="listener")
def _listener() -> Iterator[Listener]:
    with Listener(0, PATH, lambda callback: callback.belongs_to(STATE)) as listener:
        yield listener


def get(listener: Listener, query: str = "", path: str = PATH, **more: object) -> requests.Response:
    """Ask the listener for an address, without following it."""
    url = f"http://127.0.0.1:{listener.port}{path}{query}"
    return requests.request("GET", url, allow_redirects=False, timeout=10, **more)  # type: ignore[arg-type]


def test_the_code_leaves_the_address_bar_at_once(listener: Listener) -> None:
    """The callback is answered with a redirect to the same path that carries no secret."""
    answer = get(listener, f"?code=c%2A1&state={STATE}")
    callback = listener.take()
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{PATH}?page=outcome"
    assert callback is not None
    assert (callback.code, callback.state) == ("c*1", STATE)


def test_the_browser_sees_how_the_login_ended(listener: Listener) -> None:
    """The page that follows waits for the end of the login and tells it."""
    get(listener, f"?code=c&state={STATE}")
    shown: list[requests.Response] = []
    browser = threading.Thread(target=lambda: shown.append(get(listener, "?page=outcome")))
    browser.start()
    listener.conclude(pages.connected("acme", [("Scopes", "1, 2")]))
    browser.join(10)
    assert "Connected" in shown[0].text
    assert shown[0].status_code == 200


def test_a_callback_counts_once(listener: Listener) -> None:
    """A reloaded callback is no second answer."""
    for _ in range(3):
        assert get(listener, f"?code=c&state={STATE}").status_code == 303
    assert listener.take() is not None
    assert listener.take() is None


@pytest.mark.parametrize("state", ["", "wrong", STATE[:-1], STATE + "x", STATE.upper()])
def test_another_logins_callback_is_not_used(state: str) -> None:
    """A wrong state gets a page that says so, and the login goes on waiting."""
    strangers: list[None] = []
    belongs = STATE.__eq__
    with Listener(
        0, PATH, lambda c: bool(belongs(c.state or "")), lambda: strangers.append(None)
    ) as listener:
        answer = get(listener, f"?code=c&state={state}")
        if state:
            assert answer.headers["Location"] == f"{PATH}?page=other-login"
            page = get(listener, "?page=other-login")
            assert (page.status_code, len(strangers)) == (400, 1)
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
    answer = requests.request(method, url, data=b"", allow_redirects=False, timeout=10)
    assert answer.status_code == 501
    assert listener.take() is None


@pytest.mark.parametrize("host", ["evil.example", "localhost", "127.0.0.1:1", "localhost:80", ""])
def test_foreign_names_of_this_machine_are_refused(listener: Listener, host: str) -> None:
    """A page whose name was bound to 127.0.0.1 cannot talk to the listener."""
    answer = get(listener, f"?code=c&state={STATE}", headers={"Host": host})
    assert answer.status_code == 404
    assert listener.take() is None


def test_two_hosts_are_refused(listener: Listener) -> None:
    """A request that names two hosts is no browser's."""
    good = f"Host: localhost:{listener.port}\r\n"
    request = f"GET {PATH}?code=c&state={STATE} HTTP/1.1\r\n{good}{good}\r\n"
    with socket.create_connection(("127.0.0.1", listener.port), 10) as browser:
        browser.sendall(request.encode())
        assert browser.recv(100).startswith(b"HTTP/1.0 404 ")


def test_both_names_of_this_machine_work(listener: Listener) -> None:
    """Browsers that come by localhost or by number are served."""
    for name in ("localhost", "127.0.0.1"):
        host = {"Host": f"{name}:{listener.port}"}
        assert get(listener, f"?code=c&state={STATE}", headers=host).status_code == 303


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


def test_an_idle_connection_blocks_nobody(listener: Listener) -> None:
    """A browser opens connections ahead of time; the callback gets through all the same."""
    with socket.create_connection(("127.0.0.1", listener.port), 10):
        assert get(listener, f"?code=c&state={STATE}").status_code == 303


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


def test_it_listens_on_this_machine_alone(listener: Listener) -> None:
    """The socket is bound to 127.0.0.1, not to all addresses."""
    assert listener._server.server_address[0] == "127.0.0.1"


def test_a_taken_port_is_told_with_its_mend(listener: Listener) -> None:
    """A port that another program has is a plain error that names --port."""
    with pytest.raises(ConfigurationError, match=f"port {listener.port} .*--port"):
        Listener(listener.port, PATH, lambda _: True)


def test_pages_escape_what_they_show() -> None:
    """Names from TikTok and errors cannot bring markup into a page."""
    evil = "<script>alert('x')</script>\"'&"
    shown = [pages.connected(evil, [(evil, evil)]), pages.denied(evil), pages.failed(evil, evil)]
    assert all(b"<script" not in page and b"'x'" not in page for page in shown)
