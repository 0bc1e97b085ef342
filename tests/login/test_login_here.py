"""`tiktok-auth login` as a process, with a browser on this machine."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tests.login.people import LoginProcess, decide, environment, free_port, run, state_of

if TYPE_CHECKING:
    from pathlib import Path

    from tap_tiktok_auth.simulator import Simulator


def log_in(variables: dict[str, str], *arguments: str, **choice: object) -> tuple[int, str, str]:
    """Let a person log in who answers at once; return exit code, stdout and stderr."""
    port = ("--port", str(free_port()))
    with LoginProcess(variables, *arguments, "--no-browser", *port) as login:
        callback = decide(login.url, **choice)  # type: ignore[arg-type]
        requests.get(callback, timeout=30)
        return login.end()


@pytest.mark.parametrize("api", ["marketing", "login_kit"])
def test_from_nothing_to_a_token(tiktok_simulator: Simulator, tmp_path: Path, api: str) -> None:
    """One command and one click, and every tool on the machine can have the token."""
    variables = environment(tiktok_simulator, tmp_path, api)
    code, out, err = log_in(variables, "acme")
    assert code == 0, err
    assert f"Connected: acme ({api})" in out
    token = run(variables, "token", "acme").stdout.strip()
    assert tiktok_simulator.token_state(token) == "live"
    assert token not in out + err
    assert variables["TAP_TIKTOK_AUTH_APP_SECRET"] not in out + err
    # The store keeps the app too, so the connection lives without the settings.
    for name in ("APP_ID", "APP_SECRET", "API"):
        del variables[f"TAP_TIKTOK_AUTH_{name}"]
    rows = json.loads(run(variables, "status", "--json").stdout)
    assert [(row["connection"], row["obtained_by"]) for row in rows] == [("acme", "login")]


def test_the_consent_page_gets_what_tiktok_wants(
    tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """State and PKCE are fresh each time; the page is shown even to who allowed it before."""
    variables = environment(tiktok_simulator, tmp_path, "login_kit")
    queries = []
    for _ in range(2):
        arguments = ("--scope", "user.info.basic,video.list", "--port", str(free_port()))
        with LoginProcess(variables, "--no-browser", *arguments) as login:
            queries.append({k: v[0] for k, v in parse_qs(urlsplit(login.url).query).items()})
    first, second = queries
    assert first["scope"] == "user.info.basic,video.list"
    assert first["disable_auto_auth"] == "1"
    assert first["code_challenge_method"] == "S256"
    assert len(first["code_challenge"]) == 64
    assert len(first["state"]) >= 22  # 128 bits and more
    assert first["state"] != second["state"]
    assert first["code_challenge"] != second["code_challenge"]


def test_a_denial_is_told_kindly_and_changes_nothing(
    tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """A person who says no sees a page that says so; the connection stays as it was."""
    variables = environment(tiktok_simulator, tmp_path)
    assert log_in(variables, "acme")[0] == 0
    before = run(variables, "token", "acme").stdout
    code, out, err = log_in(variables, "acme", allow=False)
    assert (code, out) == (3, "")
    assert "the access was denied in the browser, nothing has changed" in err
    assert "Traceback" not in err
    assert run(variables, "token", "acme").stdout == before


def test_a_code_that_tiktok_refuses_changes_nothing(
    tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """A failed exchange leaves an existing connection, and no connection where none was."""
    variables = environment(tiktok_simulator, tmp_path)
    port = str(free_port())
    with LoginProcess(variables, "acme", "--no-browser", "--port", port) as login:
        state = state_of(login.url)
        page = requests.get(
            f"http://localhost:{port}/callback/?auth_code=made-up&state={state}", timeout=30
        )
        code, _, err = login.end()
    assert code == 3
    assert "connection acme: " in err
    assert "Not connected" in page.text
    assert "made-up" not in page.text + page.url + err
    assert run(variables, "token", "acme").exit_code == 1


def test_a_strangers_callback_is_ignored(tiktok_simulator: Simulator, tmp_path: Path) -> None:
    """A callback with another state is told, not used, and the login still works."""
    variables = environment(tiktok_simulator, tmp_path)
    port = str(free_port())
    with LoginProcess(variables, "acme", "--no-browser", "--port", port) as login:
        evil = requests.get(
            f"http://localhost:{port}/callback/?auth_code=evil&state=evil", timeout=30
        )
        requests.get(decide(login.url), timeout=30)
        code, _, err = login.end()
    assert (evil.status_code, code) == (400, 0)
    assert "another login" in evil.text
    assert "evil" not in evil.url
    assert "A callback of another login came and was not used." in err


def test_someone_else_is_warned_about(tiktok_simulator: Simulator, tmp_path: Path) -> None:
    """Whoever logs in again as another account is told so, and the login counts."""
    variables = environment(tiktok_simulator, tmp_path, "login_kit")
    assert "someone else" not in log_in(variables, "fan", account="acme")[2]
    code, _, err = log_in(variables, "fan", account="boots")
    assert code == 0
    assert "connection fan now belongs to someone else than before: account" in err


def test_a_login_outlives_the_seed_of_the_config(
    tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """An auth_code that still stands in the config does not replace what a person did since."""
    variables = environment(tiktok_simulator, tmp_path)
    variables["TAP_TIKTOK_AUTH_AUTH_CODE"] = tiktok_simulator.authorize("marketing")
    assert log_in(variables)[0] == 0
    assert tiktok_simulator.count(action="exchange") == 1
    assert run(variables, "token", "default").exit_code == 0
    assert tiktok_simulator.count(action="exchange") == 1


def test_the_store_is_for_one_user_alone(tiktok_simulator: Simulator, tmp_path: Path) -> None:
    """A login that makes the store makes it unreadable for others, secrets sealed."""
    variables = environment(tiktok_simulator, tmp_path / "new")
    log_in(variables, "acme")
    files = list((tmp_path / "new").iterdir())
    modes = {stat.S_IMODE(file.stat().st_mode) for file in files if file.is_file()}
    assert modes == {0o600}
    raw = b"".join(file.read_bytes() for file in files if file.is_file())
    assert variables["TAP_TIKTOK_AUTH_APP_SECRET"].encode() not in raw


def test_a_taken_port_is_one_line(tiktok_simulator: Simulator, tmp_path: Path) -> None:
    """Two logins at one port: the second says what to do."""
    variables = environment(tiktok_simulator, tmp_path)
    port = str(free_port())
    with LoginProcess(variables, "--no-browser", "--port", port):
        second = run(variables, "login", "--no-browser", "--port", port)
    assert second.exit_code == 1
    assert second.stderr.count("\n") == 1
    assert f"cannot listen on port {port}" in second.stderr
