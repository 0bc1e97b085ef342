"""People who log in, and the `tiktok-auth` process that they use."""

from __future__ import annotations

import os
import pty
import re
import select
import socket
import subprocess
import sys
import unittest.mock
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import requests
from click.testing import CliRunner
from cryptography.fernet import Fernet

from tap_tiktok_auth.cli.main import main

if TYPE_CHECKING:
    from click.testing import Result
    from typing_extensions import Self

    from tap_tiktok_auth.simulator import Simulator

COMMAND = str(Path(sys.executable).with_name("tiktok-auth"))
_FIELD = r'name="{}" value="([^"]+)"'


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(tiktok: Simulator, folder: Path, api: str = "marketing") -> dict[str, str]:
    """Return variables that point to a simulator: an app, a store of its own, and no seed."""
    app = tiktok.app(api)
    settings = {
        "api": api,
        "app_id": app.app_id,
        "app_secret": app.app_secret,
        "business_api_url": tiktok.url,
        "login_kit_api_url": tiktok.url,
        "tiktok_url": tiktok.url,
        "token_store": f"sqlite:///{folder / 'tokens.db'}",
        "token_store_key": Fernet.generate_key().decode(),
    }
    if api in {"accounts", "creator"}:
        settings["redirect_uri"] = app.redirect_uri
    mine = {f"TAP_TIKTOK_AUTH_{name.upper()}": value for name, value in settings.items()}
    return {"PATH": os.environ["PATH"], "HOME": str(folder), **mine}


class Visitor:
    """Somebody with a browser that keeps its cookies."""

    def __init__(self) -> None:
        self.browser = requests.Session()

    def decide(
        self,
        url: str,
        *,
        allow: bool = True,
        advertisers: list[str] | None = None,
        account: str = "acme",
    ) -> str:
        """Open a consent page, decide, and return the address that the browser is sent to.

        Args:
            url: The consent page, or a login's start page that leads there.
            allow: Whether to say yes.
            advertisers: The ad accounts to tick; None leaves all ticked.
            account: The TikTok account to choose.
        """
        page = self.browser.get(url, timeout=10)
        ticked = re.findall(_FIELD.format("advertiser"), page.text)
        form = {
            "csrf": re.findall(_FIELD.format("csrf"), page.text),
            "decision": ["allow" if allow else "deny"],
            "advertiser": ticked if advertisers is None else advertisers,
            "account": [account],
        }
        answer = self.browser.post(page.url, data=form, allow_redirects=False, timeout=10)
        return answer.headers["Location"]

    def get(self, url: str) -> requests.Response:
        """Open an address and go where it leads."""
        return self.browser.get(url, timeout=30)

    def answer(self, url: str, **choice: Any) -> requests.Response:
        """Open a login's start page, decide, and return the page on which that ends."""
        return self.get(self.decide(url, **choice))


def decide(url: str, **choice: Any) -> str:
    """Open a consent page, decide, and return the address that the browser is sent to."""
    return Visitor().decide(url, **choice)


def state_of(url: str) -> str:
    """Return the state in an address."""
    return parse_qs(urlsplit(url).query)["state"][0]


class Terminal:
    """A `tiktok-auth` with a person at its terminal, who does not see its stdout.

    Args:
        variables: Its environment.
        arguments: Its arguments.
        log: A file that stderr leads to, as under Meltano; None for the terminal.
    """

    def __init__(self, variables: dict[str, str], *arguments: str, log: Path | None = None) -> None:
        self._handle, theirs = pty.openpty()
        with ExitStack() as stack:
            self._process = subprocess.Popen(
                ["setsid", "--ctty", COMMAND, *arguments],
                env={**variables, "TERM": "xterm", "COLUMNS": "80"},
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=stack.enter_context(log.open("wb")) if log else theirs,
            )
        os.close(theirs)
        self.shown = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()
        os.close(self._handle)

    def until(self, text: str) -> str:
        """Read until a text is shown; return all that was shown."""
        while text not in self.shown:
            assert self._read(), self.shown
        return self.shown

    def type(self, *lines: str, end: str = "\n") -> None:
        """Type or paste lines, or press keys if they have no end."""
        os.write(self._handle, "".join(line + end for line in lines).encode())

    def answer(self, prompt: str, line: str) -> None:
        """Type a line once it is asked for."""
        self.until(prompt)
        self.type(line)

    def end(self) -> tuple[int, str, str]:
        """Wait for its end; return exit code, stdout and what the terminal showed."""
        while self._read():
            pass
        out, _ = self._process.communicate(timeout=30)
        return self._process.returncode, out.decode(), self.shown

    def _read(self) -> bool:
        ready, _, _ = select.select([self._handle], [], [], 30)
        assert ready, f"no output for long after {self.shown!r}"
        try:
            piece = os.read(self._handle, 65_536)
        except OSError:  # Linux says so when the last process has closed the terminal
            return False
        self.shown += piece.decode(errors="replace").replace("\r", "")
        return bool(piece)


class LoginProcess(Terminal):
    """A `tiktok-auth login` that waits for its person, once it has shown where to go.

    Args:
        variables: Its environment.
        arguments: What follows `login`.
        listens: Whether it listens at a free port.
        log: A file that stderr leads to, as under Meltano; None for the terminal.
    """

    def __init__(
        self,
        variables: dict[str, str],
        *arguments: str,
        listens: bool = True,
        log: Path | None = None,
    ) -> None:
        port = ("--port", str(free_port())) if listens else ()
        super().__init__(variables, "login", *arguments, *port, log=log)
        self.url = self.consent = ""

    def __enter__(self) -> Self:
        # To the end of the line: what is shown may come in pieces.
        while "\n" not in self.shown.partition(" beginning with ")[2] and self._read():
            pass
        links = [line for line in self.shown.splitlines() if line.startswith("http")]
        if links:
            self.url, self.consent = links[0], links[-1]
        return self


def log_in(variables: dict[str, str], *arguments: str, **choice: object) -> tuple[int, str, str]:
    """Let a person log in who answers at once; return exit code, stdout and what was shown."""
    with LoginProcess(variables, *arguments, "--no-browser") as login:
        Visitor().answer(login.url, **choice)
        return login.end()


def link(shown: str) -> str:
    """Return the address of the consent page that a login shows."""
    return next(line for line in shown.split() if "/authorize/" in line or "/portal/" in line)


def run(variables: dict[str, str], *arguments: str, said: str = "") -> Result:
    """Run `tiktok-auth` to its end in this process, with a text on stdin."""
    # What a process sets up for all of its logging is not for this one, which is the tests'.
    with unittest.mock.patch("tap_tiktok_auth.cli.common._set_up_logging"):
        return CliRunner(env=variables).invoke(main, arguments, input=said, prog_name="tiktok-auth")
