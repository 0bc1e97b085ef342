"""`tiktok-auth login` with a browser on this machine, elsewhere, or nowhere, and with tokens."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlsplit

import pytest
import requests

from tap_tiktok_auth.login.consent import LIFETIME
from tap_tiktok_auth.simulator import fixtures
from tap_tiktok_auth.store import open_store
from tests.login.people import (
    COMMAND,
    LoginProcess,
    Terminal,
    Visitor,
    decide,
    environment,
    free_port,
    link,
    log_in,
    run,
    state_of,
)

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator import Simulator

PREFIX = "TAP_TIKTOK_AUTH_"
PASTED_AT = "https://example.com/tiktok/"


@pytest.fixture(name="marketing")
def _marketing(tiktok_simulator: Simulator, tmp_path: Path) -> dict[str, str]:
    return environment(tiktok_simulator, tmp_path)


@pytest.fixture(name="accounts")
def _accounts(tiktok_simulator: Simulator, tmp_path: Path) -> dict[str, str]:
    return environment(tiktok_simulator, tmp_path, "accounts")


def requested(shown: str) -> dict[str, str]:
    """Return the parameters of the authorization request that a login shows."""
    query = parse_qs(urlsplit(link(shown)).query)
    return {name: values[0] for name, values in query.items()}


def token_of(variables: dict[str, str], name: str) -> str:
    """Return what `tiktok-auth token` prints, if anything."""
    return run(variables, "token", name).stdout.strip()


# With a browser that comes back to this machine


@pytest.mark.parametrize("api", ["marketing", "login_kit"])
def test_from_nothing_to_a_token(tiktok_simulator: Simulator, tmp_path: Path, api: str) -> None:
    """One command and one click, and every tool of this user, alone, can have the token."""
    folder = tmp_path / "new"
    variables = environment(tiktok_simulator, folder, api)
    code, out, shown = log_in(variables, "acme")
    assert code == 0, shown
    assert f"Connected: acme ({api})" in out
    token, secret = token_of(variables, "acme"), variables[f"{PREFIX}APP_SECRET"]
    assert tiktok_simulator.token_state(token) == "live"
    assert token not in out + shown
    assert secret not in out + shown
    files = [file for file in folder.iterdir() if file.is_file()]
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    assert not any(secret.encode() in file.read_bytes() for file in files)
    # The store keeps the app too, so the connection lives without the settings.
    for name in ("APP_ID", "APP_SECRET", "API"):
        del variables[PREFIX + name]
    rows = json.loads(run(variables, "status", "--json").stdout)
    assert [(row["connection"], row["obtained_by"]) for row in rows] == [("acme", "login")]


def test_the_consent_page_gets_what_tiktok_wants(
    tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """State and PKCE are fresh each time; the page is shown even to who allowed it before."""
    variables = environment(tiktok_simulator, tmp_path, "login_kit")
    arguments = ("login", "fan", "--scope", "user.info.basic,video.list")
    first, second = (requested(run(variables, *arguments).stderr) for _ in range(2))
    assert first["scope"] == "user.info.basic,video.list"
    assert first["disable_auto_auth"] == "1"
    assert first["code_challenge_method"] == "S256"
    assert len(first["code_challenge"]) == 64
    assert len(first["state"]) >= 22  # 128 bits and more
    assert not {first["state"], first["code_challenge"]} & set(second.values())


def test_a_denial_is_told_kindly_and_changes_nothing(marketing: dict[str, str]) -> None:
    """A person who says no sees a page that says so; the connection stays as it was."""
    assert log_in(marketing, "acme")[0] == 0
    before = token_of(marketing, "acme")
    code, out, shown = log_in(marketing, "acme", allow=False)
    assert (code, out) == (3, "")
    assert "the access was denied in the browser, nothing has changed" in shown
    assert "Traceback" not in shown
    assert token_of(marketing, "acme") == before


def test_a_code_that_tiktok_refuses_changes_nothing(marketing: dict[str, str]) -> None:
    """A failed exchange leaves no connection where none was, and is told on both screens."""
    with LoginProcess(marketing, "acme", "--no-browser") as login:
        visitor, state = Visitor(), state_of(login.consent)
        visitor.get(login.url)
        page = visitor.get(f"{login.url.partition('?')[0]}?auth_code=made-up&state={state}")
        code, _, shown = login.end()
    assert code == 3
    assert "connection acme: " in shown
    assert "Not connected" in page.text
    assert "made-up" not in page.text + page.url + shown
    assert run(marketing, "token", "acme").exit_code == 1


@pytest.mark.parametrize("header", [None, "Sec-Purpose", "Purpose"])
def test_what_is_not_the_persons_browser_is_ignored(
    marketing: dict[str, str], header: str | None
) -> None:
    """Another login's callback, or a page fetched ahead, is not used, and the login still works."""
    with LoginProcess(marketing, "acme", "--no-browser") as login:
        url = login.url
        if header is None:
            url = f"{url.partition('?')[0]}?auth_code=evil&state=evil"
        headers = {header: "prefetch"} if header else {}
        ignored = requests.get(url, headers=headers, timeout=30)
        Visitor().answer(login.url)
        code, _, shown = login.end()
    assert (ignored.status_code, code) == (404 if header else 400, 0), shown
    assert "evil" not in ignored.url
    assert ("A callback of another login came and was not used." in shown) is (header is None)


def test_a_login_outlives_the_seed_of_the_config(
    tiktok_simulator: Simulator, marketing: dict[str, str]
) -> None:
    """An auth_code that still stands in the config does not replace what a person did since."""
    marketing[f"{PREFIX}AUTH_CODE"] = tiktok_simulator.authorize("marketing")
    assert log_in(marketing)[0] == 0
    assert run(marketing, "token", "default").exit_code == 0
    assert tiktok_simulator.count(action="exchange") == 1


def test_a_taken_port_is_one_line(marketing: dict[str, str]) -> None:
    """Two logins at one port: the second says what to do."""
    port = str(free_port())
    arguments = ("--no-browser", "--port", port)
    with (
        LoginProcess(marketing, *arguments, listens=False),
        Terminal(marketing, "login", *arguments) as second,
    ):
        code, _, shown = second.end()
    assert (code, shown.count("\n")) == (1, 1)
    assert f"cannot listen on port {port}" in shown


@pytest.mark.parametrize("api", ["marketing", "login_kit", "accounts"])
def test_the_browsers_command_line_has_no_state(
    tiktok_simulator: Simulator, tmp_path: Path, api: str
) -> None:
    """Who lists this machine's processes sees the start page, which one browser alone can open."""
    seen, browser = tmp_path / "argv", tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> "{seen}"\n')
    browser.chmod(stat.S_IRWXU)
    variables = environment(tiktok_simulator, tmp_path, api) | {"BROWSER": f"{browser} %s"}
    with LoginProcess(variables, "acme", listens=api != "accounts") as login:
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
        code, _, shown = login.end()
    assert code == 0, shown


# Somebody else than before


@pytest.mark.parametrize("api", ["login_kit", "marketing"])
@pytest.mark.parametrize("answer", ["y", "n", "", "\x03"])
def test_someone_else_is_asked_about_before_anything_is_kept(
    tiktok_simulator: Simulator, tmp_path: Path, api: str, answer: str
) -> None:
    """Whoever logs in as another account is asked first; only a clear yes replaces the old one."""
    variables = environment(tiktok_simulator, tmp_path, api)
    first: dict[str, object] = {"account": "acme", "advertisers": [fixtures.ADVERTISERS[0]]}
    second: dict[str, object] = {"account": "boots", "advertisers": [fixtures.ADVERTISERS[1]]}
    assert "someone else" not in log_in(variables, "fan", **first)[2]
    before = token_of(variables, "fan")
    with LoginProcess(variables, "fan", "--no-browser") as login:
        page = Visitor().answer(login.url, **second)
        login.until("fan would belong to someone else: ")
        assert token_of(variables, "fan") == before
        login.type(answer)
        code, _, shown = login.end()
    assert "The terminal asks" in page.text
    assert code == {"y": 0, "\x03": 130}.get(answer, 3), shown
    assert "Traceback" not in shown
    assert (token_of(variables, "fan") == before) is (answer != "y")
    kept_nowhere = "the connection is as it was, and the new token was kept nowhere"
    assert (kept_nowhere in shown) is (code == 3)
    assert ("fan now belongs to someone else than before" in shown) is (code == 0)


@pytest.mark.parametrize("answer", ["y", "n"])
def test_where_tiktok_does_not_tell_who_it_was_the_person_is_asked(
    tiktok_simulator: Simulator, marketing: dict[str, str], answer: str
) -> None:
    """A login that TikTok cannot put a name to replaces a known one only after a clear yes."""
    log_in(marketing, "acme", advertisers=[fixtures.ADVERTISERS[0]])
    before = token_of(marketing, "acme")
    tiktok_simulator.scenario("garbage", path="advertiser/get")
    with LoginProcess(marketing, "acme", "--no-browser") as login:
        Visitor().answer(login.url, advertisers=[fixtures.ADVERTISERS[1]])
        login.answer("acme may belong to someone else: TikTok does not tell who it is", answer)
        code, _, shown = login.end()
    assert (code == 0) is (answer == "y"), shown
    assert (token_of(marketing, "acme") == before) is (answer == "n")


def test_scripts_say_whom_they_expect(marketing: dict[str, str]) -> None:
    """With --expect nobody is asked: that account or ad account is kept, every other is not."""
    one, other = fixtures.ADVERTISERS[:2]
    code, _, shown = log_in(marketing, "acme", "--expect", other, advertisers=[one])
    assert (code, f"account {one} authorised" in shown) == (3, True)
    assert run(marketing, "token", "acme").exit_code == 1
    assert log_in(marketing, "acme", "--expect", one, advertisers=[one])[0] == 0
    code, _, shown = log_in(marketing, "acme", "--expect", other, advertisers=[other])
    assert (code, "[y/N]" in shown) == (0, False)


def test_without_a_terminal_someone_else_is_not_kept(accounts: dict[str, str]) -> None:
    """Where nobody can be asked, a login as another account changes nothing."""
    said = ""
    for account, code in (("acme", 0), ("boots", 3), ("acme", 0)):
        page = link(run(accounts, "login", "shop").stderr)
        done = run(accounts, "login", "--complete", said=decide(page, account=account))
        assert done.exit_code == code, done.stderr
        said += done.stderr
    assert "someone else authorised than before: account" in said


# With an address that is pasted


def test_the_address_is_pasted_where_tiktok_forbids_this_machine(
    accounts: dict[str, str], tmp_path: Path
) -> None:
    """What no setting has is asked for on the terminal itself, wrong pastes are told as such."""
    app_id, secret, uri = (
        accounts.pop(PREFIX + name) for name in ("APP_ID", "APP_SECRET", "REDIRECT_URI")
    )
    log = tmp_path / "log"
    with Terminal(accounts, "login", "shop", "--no-browser", log=log) as terminal:
        terminal.answer("App id: ", app_id)
        terminal.answer("App secret: ", secret)
        terminal.answer("Callback address, as registered for the app: ", uri)
        page = link(terminal.until(f"beginning with {PASTED_AT}:"))
        terminal.type("act.some-code", page, f"{PASTED_AT}?code=c&state=wrong", "")
        terminal.type(f"  '{decide(page)}' ")
        code, out, shown = terminal.end()
    assert (code, "Connected: shop (accounts)" in out) == (0, True), shown
    for advice in ("That is not an address.", "the consent page itself", "an older one perhaps"):
        assert advice in shown
    assert secret not in shown
    assert "state=" not in log.read_text()
    assert run(accounts, "token", "shop").exit_code == 0


@pytest.mark.parametrize("listens", [False, True])
def test_over_ssh_the_address_is_pasted_without_being_told_to(
    marketing: dict[str, str], *, listens: bool
) -> None:
    """Where the browser is on another machine nobody listens here, unless a port is asked for."""
    marketing["SSH_CONNECTION"] = "192.0.2.1 50000 192.0.2.2 22"
    with LoginProcess(marketing, "acme", listens=listens) as login:
        assert ("Waiting" in login.shown) is listens
        assert (login.url == login.consent) is not listens
        login.type(decide(login.consent))
        code, _, shown = login.end()
    assert code == 0, shown


def test_a_pasted_refusal_without_state_ends_the_login(accounts: dict[str, str]) -> None:
    """TikTok's no counts although nothing says which login it answers, pasted or completed."""
    refusal = f"{PASTED_AT}?error=access_denied&error_description=Not+eligible"
    with LoginProcess(accounts, "shop", "--no-browser", listens=False) as login:
        login.type(refusal)
        code, _, shown = login.end()
    assert (code, "Not eligible" in shown) == (3, True)
    done = run(accounts, "login", "--complete", said=refusal)
    assert (done.exit_code, "Not eligible" in done.stderr) == (3, True)


@pytest.mark.parametrize(
    "arguments",
    [("login", "--complete"), ("login", "--with-token"), ("login", "--api", "login_kit")],
)
def test_ctrl_c_at_a_prompt_ends_in_one_line(
    accounts: dict[str, str], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """Whoever leaves at a prompt gets the shell's exit code, and a line of their own."""
    with Terminal(accounts, *arguments, log=tmp_path / "log") as terminal:
        terminal.until(": ")
        terminal.type("\x03", end="")
        code, out, shown = terminal.end()
    assert (code, out, shown[-1]) == (130, "", "\n")
    assert (tmp_path / "log").read_text() == ""


@pytest.mark.parametrize(("key", "listens"), [("\x04", False), ("\x03", False), ("\x03", True)])
def test_whoever_ends_the_wait_gets_no_traceback(
    marketing: dict[str, str], key: str, *, listens: bool
) -> None:
    """Ctrl-C ends each wait, and Ctrl-D one that a paste alone could end; nothing is added."""
    marketing |= {} if listens else {"SSH_CONNECTION": "1"}
    with LoginProcess(marketing, "shop", "--no-browser", listens=listens) as login:
        before = login.shown
        login.type(key, end="")
        code, out, shown = login.end()
    assert (code, out, shown.removeprefix(before).strip("^CD\b\n")) == (130, "", "")


# Where nobody can be asked


@pytest.mark.parametrize("api", ["marketing", "creator_marketplace", "accounts", "login_kit"])
@pytest.mark.parametrize("stdin", ["nothing", "an open pipe", "a CI job's terminal", "closed"])
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
            ["sh", "-c", 'exec "$0" login acme' + (" <&-" * (stdin == "closed")), COMMAND],
            env=variables,
            stdin=subprocess.DEVNULL if stdin == "nothing" else theirs,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout) == (3, ""), done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith("tiktok-auth: connection acme: there is no terminal to wait on")
    assert "tiktok-auth login --complete" in last
    finished = run(variables, "login", "--complete", said=decide(link(done.stderr)))
    assert finished.exit_code == 0, finished.stderr


@pytest.mark.parametrize("arguments", [("login", "--complete"), ("login", "x", "--with-token")])
def test_the_terminal_of_a_ci_job_is_not_waited_for(
    marketing: dict[str, str], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    """A CI job that has a terminal gets an error at once where input should have been piped in."""
    log = tmp_path / "log"
    with Terminal(marketing | {"CI": "true"}, *arguments, log=log) as terminal:
        assert terminal.end()[0] == 1
    assert len(log.read_text().splitlines()) == 1


def test_another_machine_finishes_the_login_once(
    tiktok_simulator: Simulator, accounts: dict[str, str], tmp_path: Path
) -> None:
    """A machine without a person begins, another one with the same store finishes, once."""
    started = run(accounts, "login", "shop", "--no-browser")
    callback = decide(link(started.stderr))
    # The other machine has the store alone: the app came along, sealed.
    kept = ("TOKEN_STORE", "TOKEN_STORE_KEY", "BUSINESS_API_URL", "LOGIN_KIT_API_URL", "TIKTOK_URL")
    other = {PREFIX + name: accounts[PREFIX + name] for name in kept}
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
    state = state_of(link(run(accounts, "login", "shop", "--no-browser").stderr))
    url, key = (accounts[f"{PREFIX}TOKEN_STORE{end}"] for end in ("", "_KEY"))
    files = Path(url.removeprefix("sqlite:///")).parent.glob("tokens.db*")
    raw = b"".join(file.read_bytes() for file in files)
    assert state.encode() not in raw
    assert accounts[f"{PREFIX}APP_SECRET"].encode() not in raw
    later = open_store(url, key, clock=lambda: time.time() + LIFETIME + 1)
    assert later.take_login(state, LIFETIME) is None
    later.close()


# Scopes and addresses of the app


def test_a_first_login_asks_for_what_every_app_has(accounts: dict[str, str]) -> None:
    """An app without user.info.username gets no error page, and the way to more scopes is told."""
    begun = run(accounts, "login", "shop")
    assert requested(begun.stderr)["scope"] == "user.info.basic"
    assert "authorization link from TikTok's portal" in begun.stderr


@pytest.mark.parametrize("spelt", [",", "%2C"])
def test_the_portals_link_stands_for_all_scopes_of_the_app(
    accounts: dict[str, str], spelt: str
) -> None:
    """The app's own link, given to --scope, brings scopes and callback address, never its state."""
    app, uri = accounts[f"{PREFIX}APP_ID"], accounts.pop(f"{PREFIX}REDIRECT_URI")
    scopes = ["user.info.basic", "video.list", "comment.list"]
    portal = (
        f"https://www.tiktok.com/v2/auth/authorize?client_key={app}&scope={spelt.join(scopes)}"
        f"&response_type=code&redirect_uri={quote(uri, safe='')}&state=your_custom_params"
    )
    begun = run(accounts, "login", "shop", "--scope", portal)
    asked = requested(begun.stderr)
    assert (asked["scope"].split(","), asked["redirect_uri"]) == (scopes, uri)
    assert asked["state"] != "your_custom_params"
    done = run(accounts, "login", "--complete", said=decide(link(begun.stderr)))
    assert "comment.list, user.info.basic, video.list" in done.stdout
    other = run(accounts, "login", "shop", "--scope", portal.replace(app, "123"))
    assert (other.exit_code, "another app" in other.stderr) == (1, True)
    wrong = run(accounts, "login", "shop", "--scope", "https://example.com/?scope=video.list")
    assert (wrong.exit_code, "is not the app's link" in wrong.stderr) == (1, True)


def test_an_advertisers_link_asks_for_all_that_the_app_may(marketing: dict[str, str]) -> None:
    """The link of advertisers names no scopes: none are asked for, which means all."""
    app, uri = marketing[f"{PREFIX}APP_ID"], "http://localhost:8080"
    portal = (
        f"https://business-api.tiktok.com/portal/auth?app_id={app}&state=your_custom_params"
        f"&redirect_uri={quote(uri, safe='')}"
    )
    asked = requested(run(marketing, "login", "acme", "--scope", portal).stderr)
    assert ("scope" in asked, asked["redirect_uri"]) == (False, uri)


def test_an_address_without_a_slash_logs_in(
    tiktok_simulator: Simulator, accounts: dict[str, str]
) -> None:
    """What TikTok has registered is used, with a word about the slash."""
    uri = "https://app.example.com/tiktok_organic/oauth2/return"
    tiktok_simulator.register_redirect("accounts", uri)
    accounts[f"{PREFIX}REDIRECT_URI"] = uri
    begun = run(accounts, "login", "shop")
    assert "must end with a slash" in begun.stderr
    assert requested(begun.stderr)["redirect_uri"] == uri
    done = run(accounts, "login", "--complete", said=decide(link(begun.stderr)))
    assert done.exit_code == 0, done.stderr


# Tokens that a person holds already, and mistakes


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
    assert token_of(variables, "mine") == grant.access_token


def test_a_refresh_token_alone_proves_itself(
    tiktok_simulator: Simulator, accounts: dict[str, str]
) -> None:
    """A refresh token is refreshed at once, which proves it."""
    said = f"refresh_token={tiktok_simulator.grant('accounts').refresh_token}\n"
    refused = run(accounts, "login", "--with-token", "--expect", "someone", said=said)
    assert (refused.exit_code, tiktok_simulator.count(action="refresh")) == (1, 0)
    assert "does not tell whose it is" in refused.stderr
    assert run(accounts, "login", "--with-token", said=said).exit_code == 0
    assert tiktok_simulator.count(action="refresh") == 1


def test_a_refresh_token_that_is_used_up_is_kept_whoever_it_is_of(
    tiktok_simulator: Simulator, accounts: dict[str, str]
) -> None:
    """Refreshing is the only way to find out who it was, and would lose the account: it warns."""
    for subject in ("one", "other"):
        token = tiktok_simulator.grant("accounts", subject=subject).refresh_token
        done = run(accounts, "login", "mine", "--with-token", said=f"refresh_token={token}")
        assert done.exit_code == 0, done.stderr
    assert "connection mine now belongs to someone else than before" in done.stderr


def test_what_tiktok_does_not_tell_of_the_account_is_left_out(
    tiktok_simulator: Simulator, accounts: dict[str, str]
) -> None:
    """Once the tokens are stored nothing fails any more: only the account's name is missing."""
    tiktok_simulator.scenario("garbage", path="business/get")
    page = link(run(accounts, "login", "shop").stderr)
    done = run(accounts, "login", "--complete", said=decide(page))
    assert (done.exit_code, done.stderr) == (0, "")
    assert "Account id" in done.stdout


def test_tokens_are_typed_unseen(tiktok_simulator: Simulator, accounts: dict[str, str]) -> None:
    """On a terminal the tokens are asked for and not shown."""
    grant = tiktok_simulator.grant("accounts")
    with Terminal(accounts, "login", "mine", "--with-token") as terminal:
        terminal.answer("Access token: ", grant.access_token)
        terminal.answer("Refresh token: ", "")
        code, out, shown = terminal.end()
    assert (code, "Connected: mine (accounts)" in out) == (0, True)
    assert grant.access_token not in shown


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
        (("shop", "--complete", PASTED_AT), 2, "--complete stands alone"),
        (("--complete", "shop"), 1, "not an address"),
        (("--complete", f"{PASTED_AT}?code=c&state={'s' * 43}"), 3, "no login waits"),
        (("a b",), 1, "is not a valid connection name"),
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


@pytest.mark.parametrize(
    "pasted",
    [
        f"{PASTED_AT}?auth_code=c&code=c&state=your_custom_params",
        f"{PASTED_AT}?auth_code=c&code=c&state=",
        f"{PASTED_AT}?auth_code=c&code=c",
        "https://business-api.tiktok.com/portal/auth?app_id=1&state=your_custom_params",
    ],
)
def test_what_comes_of_the_portals_link_is_told_as_such(
    marketing: dict[str, str], pasted: str
) -> None:
    """Whoever opened the app's own link reads that it was no login's, and both ways to go on."""
    done = run(marketing, "login", "--complete", said=pasted)
    assert done.exit_code in {1, 3}
    assert done.stderr.count("\n") == 1
    for words in ("portal", "tiktok-auth login NAME", "auth_code"):
        assert words in done.stderr
    assert "ten minutes" not in done.stderr


def test_missing_credentials_without_a_terminal_are_named(accounts: dict[str, str]) -> None:
    """Where nobody can be asked, the message names the variables to set."""
    del accounts[f"{PREFIX}APP_SECRET"]
    done = run(accounts, "login", "shop")
    assert done.exit_code == 1
    assert f"{PREFIX}APP_SECRET" in done.stderr
