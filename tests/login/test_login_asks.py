"""Who is asked, and where: on the person's terminal, or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
from contextlib import ExitStack
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests

from tests.login.people import (
    COMMAND,
    LoginProcess,
    Visitor,
    decide,
    environment,
    free_port,
    run,
    state_of,
)
from tests.login.test_login_elsewhere import Terminal, link

if TYPE_CHECKING:
    from pathlib import Path

    from tap_tiktok_auth.simulator import Simulator

APIS = ["marketing", "creator_marketplace", "accounts", "creator", "login_kit"]


def asked_for(url: str) -> dict[str, str]:
    """Return the parameters of a consent page's address."""
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


@pytest.mark.parametrize("api", APIS)
@pytest.mark.parametrize("stdin", ["nothing", "an open pipe", "a CI job's terminal"])
def test_where_nobody_can_be_asked_a_login_ends_at_once(
    tiktok_simulator: Simulator, tmp_path: Path, api: str, stdin: str
) -> None:
    """No listener, no wait: the address, exit code 3, and a line with the way to go on."""
    variables = environment(tiktok_simulator, tmp_path, api)
    with ExitStack() as stack:
        ours, theirs = os.openpty() if stdin.endswith("terminal") else os.pipe()[::-1]
        stack.callback(os.close, ours)
        stack.callback(os.close, theirs)
        if stdin.endswith("terminal"):
            variables["CI"] = "true"
        done = subprocess.run(
            [COMMAND, "login", "acme"],
            env=variables,
            stdin=subprocess.DEVNULL if stdin == "nothing" else theirs,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.splitlines()[-1].startswith("tiktok-auth: connection acme: there is no term")
    assert "tiktok-auth login --complete" in done.stderr.splitlines()[-1]
    finished = run(variables, "login", "--complete", said=decide(link(done.stderr)))
    assert finished.exit_code == 0, finished.stderr


def test_a_closed_stdin_is_nobody(tiktok_simulator: Simulator, tmp_path: Path) -> None:
    """A process without any standard input ends in the same way."""
    variables = environment(tiktok_simulator, tmp_path)
    done = subprocess.run(
        ["sh", "-c", 'exec "$0" login acme <&-', COMMAND],
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 3, done.stderr


def test_prompts_reach_a_person_whose_stderr_leads_elsewhere(
    tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """App id, secret and address are asked for on the terminal itself, the secret unseen."""
    variables, log = environment(tiktok_simulator, tmp_path, "accounts"), tmp_path / "log"
    app_id, secret, uri = (
        variables.pop(f"TAP_TIKTOK_AUTH_{name}")
        for name in ("APP_ID", "APP_SECRET", "REDIRECT_URI")
    )
    with Terminal(variables, "login", "shop", "--no-browser", log=log) as terminal:
        for prompt, answer in (
            ("App id: ", app_id),
            ("App secret: ", secret),
            ("Callback address, as registered for the app: ", uri),
        ):
            terminal.until(prompt)
            terminal.type(answer)
        terminal.type(decide(link(terminal.until(f"beginning with {uri}:"))))
        assert terminal.end() == 0
        assert secret not in terminal.shown
    assert "state=" not in log.read_text()


@pytest.mark.parametrize(
    "arguments",
    [("login", "--complete"), ("login", "--with-token"), ("login", "--api", "login_kit")],
)
def test_ctrl_c_at_a_prompt_ends_in_one_line(
    tiktok_simulator: Simulator, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """Whoever leaves at a prompt gets the shell's exit code, and a line of their own."""
    variables, log = environment(tiktok_simulator, tmp_path, "accounts"), tmp_path / "log"
    with Terminal(variables, *arguments, log=log) as terminal:
        terminal.until(": ")
        os.write(terminal.handle, b"\x03")
        assert terminal.end() == 130
        assert terminal.shown.endswith("\r\n")
    assert log.read_text() == ""


def test_ctrl_d_ends_a_wait_that_a_paste_alone_can_end(
    tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """Whoever ends the input while only a paste could help is not left waiting for ten minutes."""
    variables = environment(tiktok_simulator, tmp_path, "accounts")
    with Terminal(variables, "login", "shop", "--no-browser", log=tmp_path / "log") as terminal:
        terminal.until(" beginning with ")
        os.write(terminal.handle, b"\x04")
        assert terminal.end() == 130


@pytest.mark.parametrize("arguments", [("login", "--complete"), ("login", "x", "--with-token")])
def test_the_terminal_of_a_ci_job_is_not_waited_for(
    tiktok_simulator: Simulator, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """A CI job that has a terminal gets an error at once where input should have been piped in."""
    variables, log = environment(tiktok_simulator, tmp_path) | {"CI": "true"}, tmp_path / "log"
    with Terminal(variables, *arguments, log=log) as terminal:
        assert terminal.end() == 1
    assert len(log.read_text().splitlines()) == 1


@pytest.mark.parametrize("api", ["marketing", "login_kit", "accounts"])
def test_the_browsers_command_line_has_no_state(
    tiktok_simulator: Simulator, tmp_path: Path, api: str
) -> None:
    """Who lists this machine's processes sees the start page, which one browser alone can open."""
    seen, browser = tmp_path / "argv", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> "{seen}"\n')
    browser.chmod(stat.S_IRWXU)
    variables = environment(tiktok_simulator, tmp_path, api)
    variables["BROWSER"] = f"{browser} %s"
    arguments = () if api == "accounts" else ("--port", str(free_port()))
    with LoginProcess(variables, "acme", *arguments) as login:
        opened = seen.read_text().strip()
        assert opened.startswith(("http://localhost:", "http://127.0.0.1:"))
        assert state_of(login.consent) not in opened
        assert "tiktok" not in opened
        visitor = Visitor()
        callback = visitor.decide(opened)
        if api == "accounts":
            login.type(callback)
        else:
            assert requests.get(callback, timeout=10).status_code == 403
            assert "Connected" in visitor.get(callback).text
        code, _, err = login.end()
    assert code == 0, err


@pytest.mark.parametrize("arguments", [(), ("--port", "0")])
def test_over_ssh_the_address_is_pasted_without_being_told_to(
    tiktok_simulator: Simulator, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """Where the browser is on another machine nobody listens here, unless a port is asked for."""
    variables = environment(tiktok_simulator, tmp_path)
    variables["SSH_CONNECTION"] = "192.0.2.1 50000 192.0.2.2 22"
    if arguments:
        arguments = ("--port", str(free_port()))
    with LoginProcess(variables, "acme", *arguments) as login:
        assert ("Waiting" in login.said) is bool(arguments)
        assert (login.url == login.consent) is not bool(arguments)
        login.type(decide(login.consent))
        code, _, err = login.end()
    assert code == 0, err


def test_a_first_login_asks_for_what_every_app_has(
    tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """An app without user.info.username gets no error page, and the way to more scopes is told."""
    variables = environment(tiktok_simulator, tmp_path, "accounts")
    begun = run(variables, "login", "shop")
    assert asked_for(link(begun.stderr))["scope"] == "user.info.basic"
    assert "authorization link from TikTok's portal" in begun.stderr


@pytest.mark.parametrize("spelt", [",", "%2C"])
def test_the_portals_link_stands_for_all_scopes_of_the_app(
    tiktok_simulator: Simulator, tmp_path: Path, spelt: str
) -> None:
    """The app's own link, given to --scope, brings scopes and callback address, never its state."""
    variables = environment(tiktok_simulator, tmp_path, "accounts")
    app, uri = variables["TAP_TIKTOK_AUTH_APP_ID"], variables.pop("TAP_TIKTOK_AUTH_REDIRECT_URI")
    scopes = ["user.info.basic", "video.list", "comment.list"]
    portal = (
        f"https://www.tiktok.com/v2/auth/authorize?client_key={app}&scope={spelt.join(scopes)}"
        f"&response_type=code&redirect_uri={quote(uri, safe='')}&state=your_custom_params"
    )
    begun = run(variables, "login", "shop", "--scope", portal)
    asked = asked_for(link(begun.stderr))
    assert (asked["scope"].split(","), asked["redirect_uri"]) == (scopes, uri)
    assert asked["state"] != "your_custom_params"
    done = run(variables, "login", "--complete", said=decide(link(begun.stderr)))
    assert "comment.list, user.info.basic, video.list" in done.stdout
    other = run(variables, "login", "shop", "--scope", portal.replace(app, "123"))
    assert (other.exit_code, "another app" in other.stderr) == (1, True)
    wrong = run(variables, "login", "shop", "--scope", "https://example.com/?scope=video.list")
    assert (wrong.exit_code, "is not the app's link" in wrong.stderr) == (1, True)


def test_an_advertisers_link_asks_for_all_that_the_app_may(
    tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """The link of advertisers names no scopes: none are asked for, which means all."""
    variables = environment(tiktok_simulator, tmp_path)
    app, uri = variables["TAP_TIKTOK_AUTH_APP_ID"], "http://localhost:8080"
    portal = (
        f"https://business-api.tiktok.com/portal/auth?app_id={app}&state=your_custom_params"
        f"&redirect_uri={quote(uri, safe='')}"
    )
    asked = asked_for(link(run(variables, "login", "acme", "--scope", portal).stderr))
    assert ("scope" in asked, asked["redirect_uri"]) == (False, uri)


@pytest.mark.parametrize(
    "pasted",
    [
        "https://example.com/callback/?auth_code=c&code=c&state=your_custom_params",
        "https://example.com/callback/?auth_code=c&code=c&state=",
        "https://example.com/callback/?auth_code=c&code=c",
        "https://business-api.tiktok.com/portal/auth?app_id=1&state=your_custom_params",
    ],
)
def test_what_comes_of_the_portals_link_is_told_as_such(
    tiktok_simulator: Simulator, tmp_path: Path, pasted: str
) -> None:
    """Whoever opened the app's own link reads that it was no login's, and both ways to go on."""
    done = run(environment(tiktok_simulator, tmp_path), "login", "--complete", said=pasted)
    assert done.exit_code in {1, 3}
    assert done.stderr.count("\n") == 1
    assert "portal" in done.stderr
    assert "tiktok-auth login NAME" in done.stderr
    assert "auth_code" in done.stderr
    assert "ten minutes" not in done.stderr


def test_a_pasted_refusal_without_state_ends_the_login(
    tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """TikTok's no counts although nothing says which login it answers, pasted or completed."""
    variables = environment(tiktok_simulator, tmp_path, "accounts")
    refusal = "https://example.com/tiktok/?error=access_denied&error_description=Not+eligible"
    with LoginProcess(variables, "shop", "--no-browser") as login:
        login.type(refusal)
        code, _, err = login.end()
    assert (code, "Not eligible" in err) == (3, True)
    done = run(variables, "login", "--complete", said=refusal)
    assert (done.exit_code, "Not eligible" in done.stderr) == (3, True)


def test_an_address_without_a_slash_logs_in(tiktok_simulator: Simulator, tmp_path: Path) -> None:
    """What TikTok has registered is used, with a word about the slash."""
    uri = "https://app.example.com/tiktok_organic/oauth2/return"
    tiktok_simulator.register_redirect("accounts", uri)
    variables = environment(tiktok_simulator, tmp_path, "accounts")
    variables["TAP_TIKTOK_AUTH_REDIRECT_URI"] = uri
    begun = run(variables, "login", "shop")
    assert "must end with a slash" in begun.stderr
    assert asked_for(link(begun.stderr))["redirect_uri"] == uri
    done = run(variables, "login", "--complete", said=decide(link(begun.stderr)))
    assert done.exit_code == 0, done.stderr
