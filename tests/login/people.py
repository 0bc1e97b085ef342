"""People who log in, and the `tiktok-auth` process that they use."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import unittest.mock
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import requests
from click.testing import CliRunner
from cryptography.fernet import Fernet

from tap_tiktok_auth.cli import main

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


def decide(
    url: str, *, allow: bool = True, advertisers: list[str] | None = None, account: str = "acme"
) -> str:
    """Open a consent page, decide, and return the address that the browser is sent to.

    Args:
        url: The consent page.
        allow: Whether to say yes.
        advertisers: The ad accounts to tick; None leaves all ticked.
        account: The TikTok account to choose.
    """
    with requests.Session() as browser:
        page = browser.get(url, timeout=10).text
        ticked = re.findall(_FIELD.format("advertiser"), page)
        form = {
            "csrf": re.findall(_FIELD.format("csrf"), page),
            "decision": ["allow" if allow else "deny"],
            "advertiser": ticked if advertisers is None else advertisers,
            "account": [account],
        }
        answer = browser.post(url, data=form, allow_redirects=False, timeout=10)
    return answer.headers["Location"]


def state_of(url: str) -> str:
    """Return the state in an address."""
    return parse_qs(urlsplit(url).query)["state"][0]


class LoginProcess:
    """A `tiktok-auth login` that waits for its person.

    Args:
        variables: Its environment.
        arguments: What follows `login`.
    """

    def __init__(self, variables: dict[str, str], *arguments: str) -> None:
        self._process = subprocess.Popen(
            [COMMAND, "login", *arguments],
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self.said = ""
        self.url = ""

    def __enter__(self) -> Self:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self.said += line
            if line.startswith("http"):
                self.url = line.strip()
                break
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def end(self) -> tuple[int, str, str]:
        """Wait for its end; return exit code, stdout and stderr."""
        out, err = self._process.communicate(timeout=30)
        return self._process.returncode, out, self.said + err


def run(variables: dict[str, str], *arguments: str, said: str = "") -> Result:
    """Run `tiktok-auth` to its end in this process, with a text on stdin."""
    # What a process sets up for all of its logging is not for this one, which is the tests'.
    with unittest.mock.patch("tap_tiktok_auth.cli.common._set_up_logging"):
        return CliRunner(env=variables).invoke(main, arguments, input=said, prog_name="tiktok-auth")
