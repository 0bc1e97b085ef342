"""`tiktok-auth login` as a process, with a browser on this machine."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from tap_tiktok_auth.simulator import fixtures
from tests.login.people import LoginProcess, Visitor, environment, free_port, run, state_of

if TYPE_CHECKING:
    from pathlib import Path

    from tap_tiktok_auth.simulator import Simulator


def log_in(variables: dict[str, str], *arguments: str, **choice: object) -> tuple[int, str, str]:
    """Let a person log in who answers at once; return exit code, stdout and stderr."""
    port = ("--port", str(free_port()))
    with LoginProcess(variables, *arguments, "--no-browser", *port) as login:
        Visitor().answer(login.url, **choice)
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
            queries.append({k: v[0] for k, v in parse_qs(urlsplit(login.consent).query).items()})
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
        visitor, state = Visitor(), state_of(login.consent)
        visitor.get(login.url)
        page = visitor.get(f"http://localhost:{port}/callback/?auth_code=made-up&state={state}")
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
        Visitor().answer(login.url)
        code, _, err = login.end()
    assert (evil.status_code, code) == (400, 0)
    assert "another login" in evil.text
    assert "evil" not in evil.url
    assert "A callback of another login came and was not used." in err


@pytest.mark.parametrize("api", ["login_kit", "marketing"])
@pytest.mark.parametrize("answer", ["y", "n", ""])
def test_someone_else_is_asked_about_before_anything_is_kept(
    tiktok_simulator: Simulator, tmp_path: Path, api: str, answer: str
) -> None:
    """Whoever logs in as another account is asked first; only a clear yes replaces the old one."""
    variables = environment(tiktok_simulator, tmp_path, api)
    first: dict[str, object] = {"account": "acme", "advertisers": [fixtures.ADVERTISERS[0]]}
    second: dict[str, object] = {"account": "boots", "advertisers": [fixtures.ADVERTISERS[1]]}
    assert "someone else" not in log_in(variables, "fan", **first)[2]
    before = run(variables, "token", "fan").stdout
    port = ("--port", str(free_port()))
    with LoginProcess(variables, "fan", "--no-browser", *port) as login:
        page = Visitor().answer(login.url, **second)
        login.until("fan would belong to someone else: ")
        assert run(variables, "token", "fan").stdout == before
        login.type(answer)
        code, _, err = login.end()
    assert "The terminal asks" in page.text
    assert code == (0 if answer == "y" else 3), err
    assert (run(variables, "token", "fan").stdout == before) is (answer != "y")
    assert ("the connection is as it was, and the new token was kept nowhere" in err) is (code == 3)


@pytest.mark.parametrize("answer", ["y", "n"])
def test_where_tiktok_does_not_tell_who_it_was_the_person_is_asked(
    tiktok_simulator: Simulator, tmp_path: Path, answer: str
) -> None:
    """A login that TikTok cannot put a name to replaces a known one only after a clear yes."""
    variables = environment(tiktok_simulator, tmp_path)
    log_in(variables, "acme", advertisers=[fixtures.ADVERTISERS[0]])
    before = run(variables, "token", "acme").stdout
    tiktok_simulator.scenario("garbage", path="advertiser/get")
    with LoginProcess(variables, "acme", "--no-browser", "--port", str(free_port())) as login:
        Visitor().answer(login.url, advertisers=[fixtures.ADVERTISERS[1]])
        login.until("acme may belong to someone else: TikTok does not tell who it is")
        login.type(answer)
        code, _, err = login.end()
    assert (code == 0) is (answer == "y"), err
    assert (run(variables, "token", "acme").stdout == before) is (answer == "n")


def test_ctrl_c_at_that_question_keeps_the_old_connection(
    tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """Who is asked about someone else may leave, and nothing has changed."""
    variables = environment(tiktok_simulator, tmp_path, "login_kit")
    log_in(variables, "fan", account="acme")
    before = run(variables, "token", "fan").stdout
    with LoginProcess(variables, "fan", "--no-browser", "--port", str(free_port())) as login:
        Visitor().answer(login.url, account="boots")
        login.until("[y/N]")
        login.interrupt()
        code, _, err = login.end()
    assert (code, "Traceback" in err) == (130, False)
    assert run(variables, "token", "fan").stdout == before


def test_scripts_say_whom_they_expect(tiktok_simulator: Simulator, tmp_path: Path) -> None:
    """With --expect nobody is asked: that account or ad account is kept, every other is not."""
    variables = environment(tiktok_simulator, tmp_path)
    one, other = fixtures.ADVERTISERS[:2]
    code, _, err = log_in(variables, "acme", "--expect", other, advertisers=[one])
    assert (code, f"account {one} authorised" in err) == (3, True)
    assert run(variables, "token", "acme").exit_code == 1
    assert log_in(variables, "acme", "--expect", one, advertisers=[one])[0] == 0
    code, _, err = log_in(variables, "acme", "--expect", other, advertisers=[other])
    assert (code, "[y/N]" in err) == (0, False)


def test_without_a_terminal_someone_else_is_not_kept(
    tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """Where nobody can be asked, a login as another account changes nothing."""
    variables = environment(tiktok_simulator, tmp_path, "accounts")
    said = ""
    for account, code in (("acme", 0), ("boots", 3), ("acme", 0)):
        begun = run(variables, "login", "shop")
        link = next(line for line in begun.stderr.split() if "/authorize/" in line)
        done = run(variables, "login", "--complete", said=Visitor().decide(link, account=account))
        assert done.exit_code == code, done.stderr
        said += done.stderr
    assert "someone else authorised than before: account" in said


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
    arguments = ("--no-browser", "--port", port)
    with LoginProcess(variables, *arguments), LoginProcess(variables, *arguments) as second:
        code, _, err = second.end()
    assert (code, err.count("\n")) == (1, 1)
    assert f"cannot listen on port {port}" in err


@pytest.mark.parametrize("header", ["Sec-Purpose", "Purpose"])
def test_a_page_fetched_ahead_opens_nothing(
    tiktok_simulator: Simulator, tmp_path: Path, header: str
) -> None:
    """What a program fetches ahead of its person is not taken for the browser of the login."""
    variables = environment(tiktok_simulator, tmp_path)
    with LoginProcess(variables, "acme", "--no-browser", "--port", str(free_port())) as login:
        ahead = requests.get(
            login.url, headers={header: "prefetch"}, allow_redirects=False, timeout=10
        )
        Visitor().answer(login.url)
        code, _, err = login.end()
    assert (ahead.status_code, code) == (404, 0), err
