"""Programs that use the library and log all they can: no secret stands in anything they write."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.redteam.host import SET_UPS

if TYPE_CHECKING:
    from tests.redteam.conftest import Target

_ROOT = Path(__file__).parents[2]
#: Where the token of each connection goes.
_PATHS = {
    "marketing": "/open_api/v1.3/user/info/",
    "accounts": "/open_api/v1.3/tt_user/token_info/get/",
    "login_kit": "/v2/user/info/?fields=open_id",
}
#: What goes wrong meanwhile, in one run each.
_TROUBLE = {
    "nothing": (),
    "garbage": ("garbage",),
    "broken off": ("truncated", "drop_reply"),
    "withdrawn": ("revoked",),
}


def settings_of(target: Target) -> dict[str, Any]:
    """Return a config with connections of all kinds, and one whose host is closed."""
    connections = []
    for name in _PATHS:
        app = target.tiktok.settings(name)
        names = ("api", "app_id", "app_secret", "auth_code", "redirect_uri")
        connections.append({"name": name} | {key: app[key] for key in names if key in app})
    return target.settings(connections=connections, request_timeout=5)


def run_host(
    target: Target, set_up: str, trouble: tuple[str, ...] = ()
) -> subprocess.CompletedProcess[str]:
    """Run the program to its end."""
    hosts = [target.tiktok.url, "http://127.0.0.1:9"]
    given = {"config": settings_of(target), "paths": _PATHS, "hosts": hosts}
    for name in trouble:
        target.tiktok.scenario(name, times=6, path="/o")
    return subprocess.run(
        [sys.executable, "-m", "tests.redteam.host", set_up],
        input=json.dumps(given) + "\n",
        env={"PATH": os.environ["PATH"], "HOME": str(target.folder)},
        cwd=_ROOT, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


def leaks(target: Target, text: str) -> list[str]:
    """Return what TikTok and the store keep secret and a text has."""
    issued = target.tiktok._model.credentials
    apps = {target.tiktok.app(api).app_secret for api in _PATHS}
    return [s for s in {*issued, *apps, target.key} if s in text]


@pytest.mark.parametrize("set_up", [name for name in SET_UPS if name != "http debug"])
def test_no_log_has_a_secret(target: Target, set_up: str) -> None:
    """However a program logs, and whatever reads along, exchange to revocation show no secret."""
    done = run_host(target, set_up)
    assert done.stdout.endswith("done 18\n"), done.stderr
    assert leaks(target, done.stdout + done.stderr) == []


@pytest.mark.parametrize("trouble", _TROUBLE.values(), ids=_TROUBLE)
@pytest.mark.parametrize("set_up", ["own handlers", "raw records"])
def test_no_failure_has_a_secret(target: Target, set_up: str, trouble: tuple[str, ...]) -> None:
    """An error's forms, contexts and frames with all their variables show no secret either."""
    done = run_host(target, set_up, trouble)
    assert done.stdout.endswith("done 18\n"), done.stderr
    assert leaks(target, done.stdout + done.stderr) == []


def test_debug_mode_of_http_shows_own_requests_only(target: Target) -> None:
    """A program that has http.client print requests sees those that it makes itself, no other.

    Their header is the only place where a token can be seen; no app secret, code or refresh token
    is ever on the way of the program's own requests.
    """
    done = run_host(target, "http debug")
    shown = done.stdout + done.stderr
    sent = [line for line in shown.splitlines() if line.startswith("send: ")]
    assert len(sent) == len(_PATHS)
    others = "".join(line for line in shown.splitlines() if not line.startswith("send: "))
    assert leaks(target, others) == []
    issued = target.tiktok._model.credentials
    secrets = {target.tiktok.app(api).app_secret for api in _PATHS}
    secrets |= {value for value, credential in issued.items() if credential.kind == "code"}
    assert not [secret for secret in secrets if secret in shown]
    assert "rft." not in shown
