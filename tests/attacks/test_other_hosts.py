"""Stored credentials go to the host that they are for, whatever host the settings name."""

from __future__ import annotations

import json
import logging
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_tiktok_auth import TikTokAuthenticator
from tap_tiktok_auth.config import parsing
from tap_tiktok_auth.config.models import App, Connection, Seed
from tap_tiktok_auth.credentials.manager import open_manager
from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.login.consent import begin_login
from tap_tiktok_auth.login.finish import finish_login
from tap_tiktok_auth.login.plan import plan_login
from tap_tiktok_auth.tap import TapTikTokAuth
from tests.attacks.conftest import command

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.credentials.models import StoredConnection
    from tests.attacks.conftest import Target
    from tests.standin.server import StandIn

_APIS = ("marketing", "accounts", "creator_marketplace", "creator", "login_kit")
_REFUSED = [
    "token acme",
    "exec acme -- no-such-command",
    "refresh acme",
    "refresh acme --force",
    "revoke acme --yes",
    "status acme --check",
]
#: TikTok's own hosts; a row of version 0.1.0 names no host and is for these.
_TIKTOK = "https://business-api.tiktok.com"
_SANDBOX = "https://sandbox-ads.tiktok.com"


@pytest.fixture
def elsewhere(target: Target, standin: StandIn) -> Iterator[dict[str, Any]]:
    """Return settings with another host than the one of the logins; nothing is sent there."""
    yield target.settings(business_api_url=standin.url, login_kit_api_url=standin.url)
    assert standin.calls == []


def log_in(target: Target, api: str) -> StoredConnection:
    """Let a person log in at the simulated TikTok; the app is then known to the store alone."""
    with target.manager() as manager:
        finish_login(manager, replace(target.connection(api), configured=False))
    return target.record()


@pytest.mark.parametrize("api", _APIS)
@pytest.mark.parametrize("arguments", _REFUSED)
def test_a_command_sends_nothing_elsewhere(
    target: Target, standin: StandIn, elsewhere: dict[str, Any], api: str, arguments: str
) -> None:
    """A command refuses in one line, names both hosts, and changes nothing."""
    before = log_in(target, api)
    result = command(elsewhere, *arguments.split())
    assert result.exit_code == 1
    (line,) = [line for line in result.stderr.splitlines() if "acme" in line]
    assert target.tiktok.url in line
    assert standin.url in line
    assert line.endswith("tiktok-auth login acme")
    assert target.record() == before
    assert command(target.settings(), "token", "acme").exit_code == 0


def test_status_can_be_read_all_the_same(
    target: Target, standin: StandIn, elsewhere: dict[str, Any]
) -> None:
    """`status` shows the connection as it is stored, and why it cannot be used."""
    log_in(target, "accounts")
    (row,) = json.loads(command(elsewhere, "status", "--json").stdout)
    assert (row["status"], row["token_state"]) == ("active", "fresh")
    assert standin.url in row["last_error_message"]


@pytest.mark.parametrize("left", [-1.0, 10.0, 80_000.0])
def test_a_run_of_the_tap_sends_nothing_elsewhere(
    target: Target, elsewhere: dict[str, Any], left: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run fails the connection, and leaves it as it was for the right host."""
    log_in(target, "accounts")
    before = target.consent(left=left)
    with target.store() as store:
        before = replace(before, generation=before.generation + 1, origin=target.tiktok.url)
        assert store.commit(before, None)
    tap = TapTikTokAuth(config=elsewhere)
    with pytest.raises(SystemExit, match="1"):
        tap.complete(tap.sync_all)
    assert target.record() == before
    assert target.is_live(before)
    assert "token_metadata" in capsys.readouterr().out


@pytest.mark.parametrize("force", [False, True])
def test_a_seed_whose_chain_is_stored_is_refused_too(
    target: Target, elsewhere: dict[str, Any], *, force: bool
) -> None:
    """A config whose seed began the stored chain does not carry that chain elsewhere."""
    app, granted = target.tiktok.app("accounts"), target.tiktok.grant("accounts")
    seeded = {
        "api": "accounts",
        "app_id": app.app_id,
        "app_secret": app.app_secret,
        "refresh_token": granted.refresh_token,
    }
    with target.manager(**seeded) as manager:
        manager.get_token(manager.connection("default"))
    before = target.record("default")
    with (
        open_manager(parsing.parse(elsewhere | seeded)) as manager,
        pytest.raises(ConfigurationError, match="its tokens are for"),
    ):
        manager.get_token(manager.connection("default"), force=force)
    assert target.record("default") == before


def test_the_library_sends_nothing_elsewhere(
    target: Target, standin: StandIn, elsewhere: dict[str, Any]
) -> None:
    """The authenticator gives neither header nor token for another host."""
    log_in(target, "marketing")
    with TikTokAuthenticator.from_config(elsewhere, "acme") as auth:
        for url in (standin.url, target.tiktok.url):
            with pytest.raises(ConfigurationError):
                requests.get(f"{url}/open_api/v1.3/ad/get/", auth=auth, timeout=5)
        with pytest.raises(ConfigurationError):
            auth.access_token()


def test_a_stored_app_secret_begins_no_login_elsewhere(
    target: Target, elsewhere: dict[str, Any]
) -> None:
    """For a login elsewhere the app is asked for, as its stored secret is for one host."""
    log_in(target, "marketing")
    for settings, is_known in ((elsewhere, False), (target.settings(), True)):
        with open_manager(parsing.parse(settings)) as manager:
            assert (plan_login(manager, "acme", None, ())[0].app is not None) == is_known


def test_a_login_moves_a_connection_on_purpose(target: Target, standin: StandIn) -> None:
    """A login at the new host starts a chain that belongs there, and no more to the old host."""
    log_in(target, "marketing")
    secret = standin.world.add_app("app-2")
    code = standin.world.consent("app-2", timed=False)
    with target.manager(business_api_url=standin.url) as manager:
        seed = Seed("auth_code", auth_code=code)
        acme = Connection("acme", "marketing", App("app-2", secret), seed)
        finish_login(manager, acme, confirm=lambda question: "someone else" in question)
        held = manager.get_token(manager.connection("acme"))
    assert held.token.access_token in standin.world.access
    with pytest.raises(ConfigurationError, match=re.escape(standin.url)):
        target.get_token()


def test_a_pending_login_is_finished_where_it_was_begun(
    target: Target, standin: StandIn, elsewhere: dict[str, Any]
) -> None:
    """The code and the app secret of a login do not go to another host; the login stays."""
    app = target.tiktok.app("accounts")
    with target.manager() as manager:
        acme, _ = plan_login(manager, "acme", "accounts", ())
        acme = replace(acme, app=App(app.app_id, app.app_secret))
        begun = begin_login(manager, acme, app.redirect_uri)
    answer = {"code": target.tiktok.authorize("accounts"), "state": begun.state}
    url = requests.Request("GET", app.redirect_uri, params=answer).prepare().url or ""
    result = command(elsewhere, "login", "--complete", url)
    assert (result.exit_code, standin.url in result.stderr) == (1, True)
    assert command(target.settings(), "login", "--complete", url).exit_code == 0


@pytest.mark.parametrize(
    ("host", "serves"),
    [
        (f"{_TIKTOK}.example.net", False),
        (f"{_TIKTOK}:8443", False),
        ("https://ads.example.com", False),
        ("https://open.tiktokapis.com", False),
        (_TIKTOK, True),
        (f"{_SANDBOX}/", True),
    ],
)
def test_a_row_of_an_older_version_is_for_tiktok(
    target: Target, host: str, *, serves: bool
) -> None:
    """What has no host is for TikTok's own; a simulator may have it, and it stays with that."""
    record = log_in(target, "accounts")
    with target.store() as store:
        assert store.commit(replace(record, generation=record.generation + 1, origin=None), None)
    with target.manager(business_api_url=host) as manager:
        acme = manager.connection("acme")
        if serves:
            assert manager.get_token(acme).token == record.token
        else:
            with pytest.raises(ConfigurationError, match=re.escape(f"are for {_TIKTOK},")):
                manager.get_token(acme)
    target.get_token(force=True)
    assert target.record().origin == target.tiktok.url


def test_a_host_cannot_be_written_into_the_row(target: Target) -> None:
    """Which host tokens are for stands sealed in the store, not in a column to edit."""
    log_in(target, "accounts")
    assert target.tiktok.url not in str(target.sql("SELECT * FROM connections"))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"business_api_url": "https://proxy.example.com/tiktok"}, "https://proxy.example.com"),
        ({"login_kit_api_url": "https://open.tiktokapis.com:444"}, "tiktokapis.com:444"),
        ({"tiktok_url": "https://www.tiktok.example"}, "https://www.tiktok.example"),
        ({}, None),
        ({"business_api_url": _SANDBOX}, None),
    ],
)
def test_a_strange_host_is_warned_of(
    target: Target,
    settings: dict[str, Any],
    named: str | None,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each session, and `doctor`, warns of a host that is neither TikTok's nor this machine's."""
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING), target.manager(**settings):
            told = [record.getMessage() for record in caplog.records]
        assert len(told) == (1 if named else 0)
        assert all(str(named) in line for line in told)
        assert "/tiktok" not in "".join(told).replace("https://", "")
    if named:
        found = json.loads(command(target.settings(**settings), "doctor", "--json").stdout)
        assert [f for f in found if f["level"] == "warning" and named in f["message"]]
