"""``tiktok-auth simulate``, as a real process."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests
from click.testing import CliRunner

from tap_tiktok_auth.cli.simulate import simulate
from tap_tiktok_auth.simulator.model import APIS
from tap_tiktok_auth.simulator.scenarios import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

    from click.testing import Result

PREFIX = "TAP_TIKTOK_AUTH_"
DRIVER = "from tap_tiktok_auth.cli.simulate import simulate; simulate()"
SHOW = """
import json, os, pathlib, sys
folder = pathlib.Path(os.environ["TAP_TIKTOK_AUTH_TOKEN_STORE"].removeprefix("sqlite:///")).parent
(folder / "tokens.db").write_text("x")
seen = {**os.environ, "FOLDER": str(folder), "FOLDER_MODE": oct(folder.stat().st_mode & 0o777)}
pathlib.Path(sys.argv[1]).write_text(json.dumps(seen))
"""
# Ends with 10 after a good exchange, with 14 after a 40100.
EXCHANGE = """
import json, os, sys, urllib.request
get = lambda name: os.environ["TAP_TIKTOK_AUTH_" + name]
body = {"app_id": get("APP_ID"), "secret": get("APP_SECRET"), "auth_code": get("AUTH_CODE")}
request = urllib.request.Request(
    get("BUSINESS_API_URL") + "/open_api/v1.3/oauth2/access_token/",
    json.dumps(body).encode(), {"Content-Type": "application/json"})
sys.exit({0: 10, 40100: 14}[json.load(urllib.request.urlopen(request))["code"]])
"""
WAIT = "import sys, time; print('ready', flush=True); time.sleep(60)"


@pytest.fixture
def variables(tmp_path: Path) -> Callable[..., dict[str, str]]:
    """Return a function that runs the command and returns what its COMMAND got to see."""

    def run(*arguments: str) -> dict[str, str]:
        seen = tmp_path / "seen.json"
        result = _invoke(*arguments, "--", sys.executable, "-c", SHOW, str(seen))
        assert result.exit_code == 0, result.output
        everything: dict[str, str] = json.loads(seen.read_text())
        return {k: v for k, v in everything.items() if k.startswith((PREFIX, "FOLDER"))}

    return run


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-c", DRIVER, *arguments]


def _invoke(*arguments: str) -> Result:
    return CliRunner().invoke(simulate, arguments)


@pytest.mark.parametrize(
    ("options", "code"), [([], 10), (["--scenario", "rate_limitedx1"], 14), (["--tier=basic"], 10)]
)
def test_command_exchanges_its_code(options: list[str], code: int) -> None:
    """A command that uses the variables reaches the simulator, with the scenarios asked for."""
    assert _invoke(*options, "--", sys.executable, "-c", EXCHANGE).exit_code == code


def test_one_api_gives_top_level_settings(
    variables: Callable[..., dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One api gives top-level settings and a private store that goes away, and hides the real."""
    monkeypatch.setenv(f"{PREFIX}REFRESH_TOKEN", "real")
    monkeypatch.setenv(f"{PREFIX}LOGLEVEL", "DEBUG")
    seen = variables("--api", "accounts")
    assert seen[f"{PREFIX}API"] == "accounts"
    assert seen[f"{PREFIX}REDIRECT_URI"] == "https://example.com/tiktok/"
    assert seen[f"{PREFIX}TOKEN_STORE"].startswith("sqlite:////")
    assert len(seen[f"{PREFIX}TOKEN_STORE_KEY"]) == 44
    assert seen[f"{PREFIX}LOGLEVEL"] == "DEBUG"
    assert not {f"{PREFIX}CONNECTIONS", f"{PREFIX}REFRESH_TOKEN"} & set(seen)
    assert (seen["FOLDER_MODE"], Path(seen["FOLDER"]).exists()) == ("0o700", False)
    assert f"{PREFIX}REDIRECT_URI" not in variables()  # Marketing takes none


def test_several_apis_give_connections(variables: Callable[..., dict[str, str]]) -> None:
    """``--api all`` gives one connection for each token system, named after it."""
    seen = variables("--api", "all")
    connections = json.loads(seen[f"{PREFIX}CONNECTIONS"])
    assert [c["name"] for c in connections] == list(APIS)
    assert all(c["name"] == c["api"] and c["auth_code"] for c in connections)
    assert f"{PREFIX}AUTH_CODE" not in seen


@pytest.mark.parametrize(
    ("command", "code", "said"),
    [
        ([sys.executable, "-c", "raise SystemExit(7)"], 7, ""),
        (["no-such-command-anywhere"], 127, "Error: no such command: no-such-command-anywhere\n"),
        (["/"], 126, "Error: cannot run /: Permission denied\n"),
    ],
)
def test_exit_code_is_the_commands(command: list[str], code: int, said: str) -> None:
    """The command's exit code comes through, and a command that cannot run is one line."""
    result = _invoke("--", *command)
    assert (result.exit_code, result.stderr) == (code, said)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_reach_the_command(number: signal.Signals) -> None:
    """A signal ends the command, and with it the simulator, with 128 + its number."""
    with subprocess.Popen(
        _command("--", sys.executable, "-c", f"import signal; signal.signal({int(number)}, "
                 f"signal.SIG_DFL); {WAIT}"),
        stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        assert process.wait(timeout=30) == 128 + number


def test_without_a_command_it_serves_until_told_to_end() -> None:
    """It prints what to export, serves, and ends well on Ctrl-C, removing the store."""
    with subprocess.Popen(_command(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(10)]
        exported = dict(
            line.removeprefix("export ").rstrip().split("=", 1)
            for line in lines if line.startswith("export ")
        )  # fmt: skip
        url = exported[f"{PREFIX}BUSINESS_API_URL"]
        assert requests.get(f"{url}/_simulator/stats", timeout=10).status_code == 200
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
    store = Path(exported[f"{PREFIX}TOKEN_STORE"].removeprefix("sqlite:///"))
    assert not store.parent.exists()


def test_taken_port_is_one_clear_line() -> None:
    """A port that is taken gives one line that names the option."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = _invoke("--port", str(port), "--", "true")
    assert result.exit_code == 1
    assert result.stderr.count("\n") == 1
    assert f"port {port}" in result.stderr
    assert "--port" in result.stderr


def test_without_aiohttp_it_says_what_to_install() -> None:
    """Where the extra is missing, one line says how to get it."""
    program = f"import sys; sys.modules['aiohttp'] = None; {DRIVER}"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        "Error: the simulator needs aiohttp: pip install 'tap-tiktok-auth[simulator]'\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [["--scenario", "nonsense"], ["--scenario", "hang=3"], ["--api", "video"], ["--tier", "gold"]],
)
def test_wrong_usage_is_refused(arguments: list[str]) -> None:
    """A wrong scenario, api or tier is a usage error, exit code 2."""
    assert CliRunner().invoke(simulate, arguments).exit_code == 2


def test_help_explains_every_scenario() -> None:
    """The help lists all scenarios and shows examples."""
    shown = CliRunner().invoke(simulate, ["--help"]).output
    assert all(name in shown for name in KINDS)
    assert "drop_replyx1@/refresh_token/" in shown
