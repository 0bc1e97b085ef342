"""Programs that log all they can, and bugs of our own: no secret stands in anything written."""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.attacks.program_that_logs import SET_UPS

if TYPE_CHECKING:
    from tests.attacks.conftest import Target

_ROOT = Path(__file__).parents[2]
#: Where the token of each connection goes.
_PATHS = {
    "marketing": "/open_api/v1.3/user/info/",
    "accounts": "/open_api/v1.3/tt_user/token_info/get/",
    "login_kit": "/v2/user/info/?fields=open_id",
}
#: What goes wrong meanwhile, in one run each.
_TROUBLE = {
    "garbage": ("garbage",),
    "broken off": ("truncated", "drop_reply"),
    "withdrawn": ("revoked",),
}
_DEBUG_OF_HTTP = "http debug"
_BUG = """
import sys
from tap_tiktok_auth.credentials import transitions
def fail(stored, response, *args, **kwargs):
    try:
        raise KeyError(response.refresh_token or response.access_token)
    except KeyError as error:
        raise ValueError(response.access_token) from error
transitions.granted = fail
program = sys.argv.pop(1)
if program == "tap":
    from tap_tiktok_auth.tap import TapTikTokAuth
    TapTikTokAuth.cli()
else:
    from tap_tiktok_auth.cli.main import main
    main()
"""


def run_program(target: Target, set_up: str, *trouble: str) -> str:
    """Run the program to its end with connections of all kinds; return all that it wrote."""
    connections = []
    for api in _PATHS:
        app = target.tiktok.settings(api)
        names = ("api", "app_id", "app_secret", "auth_code", "redirect_uri")
        connections.append({"name": api} | {key: app[key] for key in names if key in app})
    given = {
        "config": target.settings(connections=connections, request_timeout=5),
        "paths": _PATHS,
        "hosts": [target.tiktok.url, "http://127.0.0.1:9"],  # nobody answers at the second
    }
    for name in trouble:
        target.tiktok.scenario(name, times=6, path="/o")
    done = subprocess.run(
        [sys.executable, "-m", "tests.attacks.program_that_logs", set_up],
        input=json.dumps(given) + "\n",
        env={name: target.environment()[name] for name in ("PATH", "HOME")},
        cwd=_ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.stdout.endswith("done 18\n"), done.stderr
    return done.stdout + done.stderr


_RUNS = [pytest.param(set_up, (), id=set_up) for set_up in SET_UPS if set_up != _DEBUG_OF_HTTP]
_RUNS += [
    pytest.param(set_up, _TROUBLE[trouble], id=f"{set_up}, {trouble}")
    for set_up, trouble in product(("own handlers", "raw records"), _TROUBLE)
]


@pytest.mark.parametrize(("set_up", "trouble"), _RUNS)
def test_no_log_has_a_secret(target: Target, set_up: str, trouble: tuple[str, ...]) -> None:
    """However a program logs, whatever reads along or fails, neither logs nor errors show any.

    From exchange to revocation, in all forms, contexts and frames of an error.
    """
    assert target.leaks(run_program(target, set_up, *trouble)) == []


def test_debug_mode_of_http_shows_own_requests_only(target: Target) -> None:
    """A program that has http.client print requests sees those that it makes itself, no other.

    Their header is the only place where a token can be seen; no app secret, code or refresh token
    is ever on the way of the program's own requests.
    """
    lines = run_program(target, _DEBUG_OF_HTTP).splitlines()
    sent = [line for line in lines if line.startswith("send: ")]
    assert len(sent) == len(_PATHS)
    assert target.leaks("".join(line for line in lines if line not in sent)) == []
    leaked = target.leaks("".join(sent))
    assert len(leaked) == len(_PATHS)
    assert {target.tiktok.app(api).app_secret for api in _PATHS}.isdisjoint(leaked)
    assert not [secret for secret in leaked if "%2A" in secret or secret.startswith("rft.")]


@pytest.mark.parametrize("api", ["marketing", "accounts"])
@pytest.mark.parametrize("command", [["tap", "--config", "ENV"], ["cli", "status", "--check"]])
def test_a_bug_shows_no_token(target: Target, api: str, command: list[str]) -> None:
    """Neither tokens with a prefix nor those without one stand in a chained traceback."""
    settings: dict[str, Any] = target.tiktok.settings(api)
    done = subprocess.run(
        [sys.executable, "-c", _BUG, *command],
        env=target.environment(**settings) | {"TAP_TIKTOK_AUTH_LOGLEVEL": "DEBUG"},
        cwd=_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 1
    assert "ValueError: ***" in done.stderr
    assert "KeyError: '***'" in done.stderr
    written = done.stdout + done.stderr
    assert target.leaks(written) == []
    assert settings["auth_code"] not in written
