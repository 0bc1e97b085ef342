"""Logins whose browser does not come back to this machine, and tokens that one has already."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import subprocess
import time
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.login.consent import LIFETIME
from tap_tiktok_auth.store import open_store
from tests.login.people import (
    COMMAND,
    LoginProcess,
    decide,
    environment,
    free_port,
    run,
    state_of,
)

if TYPE_CHECKING:
    from typing_extensions import Self

    from tap_tiktok_auth.simulator import Simulator

_ANSI = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


class Terminal:
    """A `tiktok-auth` on a terminal, 80 columns wide.

    Args:
        variables: Its environment.
        arguments: Its arguments.
        log: A file that stderr leads to, as under Meltano; None for the terminal.
    """

    def __init__(self, variables: dict[str, str], *arguments: str, log: Path | None = None) -> None:
        self.shown = ""
        self.handle, theirs = pty.openpty()
        with ExitStack() as stack:
            self._process = subprocess.Popen(
                ["setsid", "--ctty", COMMAND, *arguments],
                env={**variables, "TERM": "xterm", "COLUMNS": "80"},
                stdin=theirs,
                stdout=theirs,
                stderr=stack.enter_context(log.open("wb")) if log else theirs,
            )
        os.close(theirs)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        os.close(self.handle)

    def until(self, text: str) -> str:
        """Read until a text is shown; return all that was shown."""
        deadline = time.monotonic() + 30
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if select.select([self.handle], [], [], 0.5)[0]:
                try:
                    piece = os.read(self.handle, 65_536).decode()
                except OSError:  # the other side has ended
                    piece = ""
                assert piece, self.shown
                self.shown += _ANSI.sub("", piece)
        return self.shown

    def type(self, line: str) -> None:
        """Type or paste a line."""
        os.write(self.handle, line.encode() + b"\n")

    def end(self) -> int:
        """Wait for its end; return the exit code."""
        with suppress(OSError):  # Linux says so when the last process has closed the terminal
            while select.select([self.handle], [], [], 30)[0]:
                self.shown += _ANSI.sub("", os.read(self.handle, 65_536).decode())
        return self._process.wait(30)


def link(shown: str) -> str:
    """Return the address of the consent page that a login shows."""
    return next(line for line in shown.split() if "/authorize/" in line or "/portal/" in line)


@pytest.fixture(name="accounts")
def _accounts(tiktok_simulator: Simulator, tmp_path: Path) -> dict[str, str]:
    return environment(tiktok_simulator, tmp_path, "accounts")


def test_the_address_is_pasted_where_tiktok_forbids_this_machine(
    accounts: dict[str, str],
) -> None:
    """Each wrong paste is told what is wrong, and the right one connects."""
    with Terminal(accounts, "login", "shop", "--no-browser") as terminal:
        page = link(terminal.until("beginning with https://example.com/tiktok/:"))
        terminal.type("act.some-code")
        terminal.until("That is not an address.")
        terminal.type(page)
        terminal.until("the consent page itself")
        terminal.type("https://example.com/tiktok/?code=c&state=wrong")
        terminal.until("another login, an older one perhaps")
        terminal.type(f"  '{decide(page)}' ")
        terminal.until("Connected: shop (accounts)")
        assert terminal.end() == 0
    assert run(accounts, "token", "shop").exit_code == 0


def test_a_browser_elsewhere_can_be_pasted_while_listening(
    tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """Over ssh the listener is in vain: the callback's address is pasted instead."""
    variables = environment(tiktok_simulator, tmp_path)
    with Terminal(variables, "login", "--no-browser", "--port", str(free_port())) as terminal:
        page = link(terminal.until("From there paste"))
        terminal.type(decide(page))
        terminal.until("Connected: default (marketing)")
        assert terminal.end() == 0


def test_app_and_secret_are_asked_for(accounts: dict[str, str]) -> None:
    """What no setting has is asked for on a terminal, and the secret is not shown."""
    app_id = accounts.pop("TAP_TIKTOK_AUTH_APP_ID")
    secret = accounts.pop("TAP_TIKTOK_AUTH_APP_SECRET")
    uri = accounts.pop("TAP_TIKTOK_AUTH_REDIRECT_URI")
    with Terminal(accounts, "login", "shop", "--no-browser") as terminal:
        terminal.until("App id: ")
        terminal.type(app_id)
        terminal.until("App secret: ")
        terminal.type(secret)
        terminal.until("Callback address, as registered for the app: ")
        terminal.type(uri)
        terminal.type(decide(link(terminal.until("beginning with"))))
        terminal.until("Connected: shop")
        assert terminal.end() == 0
        assert secret not in terminal.shown
    assert run(accounts, "token", "shop").exit_code == 0


def test_without_a_terminal_the_login_is_finished_later(
    tiktok_simulator: Simulator, accounts: dict[str, str], tmp_path: Path
) -> None:
    """A machine without a person begins, another one with the same store finishes, once."""
    started = run(accounts, "login", "shop", "--no-browser")
    callback = decide(link(started.stderr))
    assert started.exit_code == 3
    assert "tiktok-auth login --complete" in started.stderr
    # The other machine has the store alone: the app came along, sealed.
    kept = ("TOKEN_STORE", "TOKEN_STORE_KEY", "BUSINESS_API_URL", "LOGIN_KIT_API_URL", "TIKTOK_URL")
    other = {f"TAP_TIKTOK_AUTH_{name}": accounts[f"TAP_TIKTOK_AUTH_{name}"] for name in kept}
    other |= {"HOME": str(tmp_path / "other")}
    done = run(other, "login", "--complete", said=f"{callback}\n")
    assert done.exit_code == 0, done.stderr
    assert "Connected: shop (accounts)" in done.stdout
    again = run(other, "login", "--complete", callback)
    assert again.exit_code == 3
    assert "no login waits for that address here" in again.stderr
    assert tiktok_simulator.count(action="exchange") == 1


def test_a_pending_login_is_sealed_and_ends(accounts: dict[str, str]) -> None:
    """Neither state nor secret is readable in the store, and after ten minutes both are gone."""
    started = run(accounts, "login", "shop", "--no-browser")
    state = state_of(link(started.stderr))
    url, key = (accounts[f"TAP_TIKTOK_AUTH_TOKEN_STORE{end}"] for end in ("", "_KEY"))
    files = Path(url.removeprefix("sqlite:///")).parent.glob("tokens.db*")
    raw = b"".join(file.read_bytes() for file in files)
    assert state.encode() not in raw
    assert accounts["TAP_TIKTOK_AUTH_APP_SECRET"].encode() not in raw
    later = open_store(url, key, clock=lambda: time.time() + LIFETIME + 1)
    assert later.take_login(state, LIFETIME) is None
    later.close()


@pytest.mark.parametrize("api", ["marketing", "accounts", "creator_marketplace", "login_kit"])
def test_a_token_that_one_holds_is_taken_in(
    tiktok_simulator: Simulator, tmp_path: Path, api: str
) -> None:
    """Piped in, confirmed by TikTok, and kept: no secret on the command line."""
    variables = environment(tiktok_simulator, tmp_path, api)
    grant = tiktok_simulator.grant(api)
    tokens = {"access_token": grant.access_token, "refresh_token": grant.refresh_token or ""}
    done = run(variables, "login", "mine", "--with-token", said=json.dumps(tokens))
    assert done.exit_code == 0, done.stderr
    assert f"Connected: mine ({api})" in done.stdout
    assert grant.access_token not in done.stdout + done.stderr
    assert run(variables, "token", "mine").stdout.strip() == grant.access_token


def test_a_refresh_token_alone_will_do(
    tiktok_simulator: Simulator, accounts: dict[str, str]
) -> None:
    """A refresh token is refreshed at once, which proves it."""
    grant = tiktok_simulator.grant("accounts")
    said = f"refresh_token={grant.refresh_token}\n"
    assert run(accounts, "login", "--with-token", said=said).exit_code == 0
    assert tiktok_simulator.count(action="refresh") == 1


def test_tokens_are_typed_unseen(tiktok_simulator: Simulator, accounts: dict[str, str]) -> None:
    """On a terminal the tokens are asked for and not shown."""
    grant = tiktok_simulator.grant("accounts")
    with Terminal(accounts, "login", "mine", "--with-token") as terminal:
        terminal.until("Access token: ")
        terminal.type(grant.access_token)
        terminal.until("Refresh token: ")
        terminal.type("")
        terminal.until("Connected: mine (accounts)")
        assert terminal.end() == 0
        assert grant.access_token not in terminal.shown


def test_a_dead_token_is_refused(tiktok_simulator: Simulator, accounts: dict[str, str]) -> None:
    """A token that TikTok does not know is not stored."""
    dead = run(accounts, "login", "mine", "--with-token", said="act.nobody-knows-this-one")
    assert dead.exit_code == 3
    assert "nobody-knows" not in dead.stderr
    assert run(accounts, "status", "mine").exit_code == 1
    assert tiktok_simulator.count(action="exchange") == 0


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("shop", "--complete", "https://example.com/"), 2, "--complete stands alone"),
        (("--complete", "https://example.com/?code=c"), 1, "carries no state"),
        (("--complete", "shop"), 1, "not an address"),
        (("--complete", "https://example.com/?code=c&state=s"), 3, "no login waits"),
        (("a b",), 1, "is not a connection's name"),
        (("--scope", "EVIL&x=y"), 1, "a scope is not one of api accounts"),
        (("--port", "4000"), 1, "no callback to this machine"),
        (("--api", "nonsense"), 2, "Invalid value"),
        (("--with-token",), 1, "the input has no token"),
    ],
)
def test_mistakes_are_one_line(
    accounts: dict[str, str], arguments: tuple[str, ...], code: int, words: str
) -> None:
    """Each mistake has its exit code and a line that says what to do."""
    done = run(accounts, "login", *arguments)
    assert (done.exit_code, done.stdout) == (code, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_missing_credentials_without_a_terminal_are_named(accounts: dict[str, str]) -> None:
    """Where nobody can be asked, the message names the variables to set."""
    del accounts["TAP_TIKTOK_AUTH_APP_SECRET"]
    done = run(accounts, "login", "shop")
    assert done.exit_code == 1
    assert "TAP_TIKTOK_AUTH_APP_SECRET" in done.stderr


def test_ctrl_c_is_quiet(tiktok_simulator: Simulator, tmp_path: Path) -> None:
    """Who gives up gets the shell's exit code and no traceback."""
    variables = environment(tiktok_simulator, tmp_path)
    with LoginProcess(variables, "--no-browser", "--port", str(free_port())) as login:
        before = login.said
        login.interrupt()
        assert login.end() == (130, "", before)
