"""Stored credentials go to the host that they are for, whatever host the settings name."""

from __future__ import annotations

import json
import logging
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
import requests
from click.testing import CliRunner

from tap_tiktok_auth import TikTokAuthenticator
from tap_tiktok_auth.cli.main import main
from tap_tiktok_auth.config import parsing
from tap_tiktok_auth.config.models import App, Connection, Seed
from tap_tiktok_auth.config.settings import ENV_PREFIX
from tap_tiktok_auth.credentials.session import session
from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.login.consent import begin_login
from tap_tiktok_auth.login.finish import finish_login
from tap_tiktok_auth.login.plan import plan_login
from tap_tiktok_auth.tap import TapTikTokAuth

if TYPE_CHECKING:
    from click.testing import Result

    from tap_tiktok_auth.credentials.models import StoredConnection
    from tests.standin.server import StandIn

    from .conftest import Target

_APIS = ("marketing", "accounts", "creator_marketplace", "creator", "login_kit")


def log_in(target: Target, api: str, name: str = "acme") -> StoredConnection:
    """Let a person log in at the simulated TikTok; the app is then known to the store alone."""
    app = target.tiktok.app(api)
    seed = Seed("auth_code", auth_code=target.tiktok.authorize(api))
    own = App(app.app_id, app.app_secret)
    with target.manager() as manager:
        finish_login(manager, Connection(name, api, own, seed, redirect_uri=app.redirect_uri))
    return target.record(name)


def elsewhere(target: Target, standin: StandIn, **more: Any) -> dict[str, Any]:
    """Return the settings with another host than the one of the logins."""
    return target.settings(business_api_url=standin.url, login_kit_api_url=standin.url, **more)


def run(settings: dict[str, Any], *arguments: str) -> Result:
    """Run `tiktok-auth` with settings from the environment."""
    environment = {
        ENV_PREFIX + name.upper(): value if isinstance(value, str) else json.dumps(value)
        for name, value in settings.items()
    }
    result = CliRunner().invoke(main, arguments, env=environment)
    assert result.exception is None or isinstance(result.exception, SystemExit)
    return result


@pytest.mark.parametrize("api", _APIS)
@pytest.mark.parametrize(
    "arguments",
    [
        ("token", "acme"),
        ("exec", "acme", "--", "no-such-command"),
        ("refresh", "acme"),
        ("refresh", "acme", "--force"),
        ("revoke", "acme", "--yes"),
        ("status", "acme", "--check"),
    ],
    ids=" ".join,
)
def test_a_command_sends_nothing_elsewhere(
    target: Target, standin: StandIn, api: str, arguments: tuple[str, ...]
) -> None:
    """A command refuses in one line, names both hosts, sends nothing and changes nothing."""
    before = log_in(target, api)

    result = run(elsewhere(target, standin), *arguments)

    assert result.exit_code == 1
    assert standin.calls == []
    (line,) = [line for line in result.stderr.splitlines() if "acme" in line]
    assert target.tiktok.url in line
    assert standin.url in line
    assert line.endswith("tiktok-auth login acme")
    assert target.record() == before
    assert run(target.settings(), "token", "acme").exit_code == 0


def test_status_can_be_read_all_the_same(target: Target, standin: StandIn) -> None:
    """`status` shows the connection as it is stored, and why it cannot be used."""
    log_in(target, "accounts")
    (row,) = json.loads(run(elsewhere(target, standin), "status", "--json").stdout)
    assert (row["status"], row["token_state"]) == ("active", "fresh")
    assert standin.url in row["last_error_message"]
    assert standin.calls == []


@pytest.mark.parametrize("left", [-1.0, 10.0, 80_000.0])
def test_a_run_of_the_tap_sends_nothing_elsewhere(
    target: Target, standin: StandIn, left: float, capsys: pytest.CaptureFixture[str]
) -> None:
    """A run fails the connection, sends nothing, and leaves it as it was for the right host."""
    log_in(target, "accounts")
    before = target.consent(left=left)
    with target.store() as store:
        before = replace(before, generation=before.generation + 1, origin=target.tiktok.url)
        assert store.commit(before, None)

    tap = TapTikTokAuth(config=elsewhere(target, standin))
    with pytest.raises(SystemExit, match="1"):
        tap.complete(tap.sync_all)

    assert standin.calls == []
    assert target.record() == before
    assert target.is_live(before)
    assert "token_metadata" in capsys.readouterr().out


def test_a_seed_whose_chain_is_stored_is_refused_too(target: Target, standin: StandIn) -> None:
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

    with session(parsing.parse(elsewhere(target, standin, **seeded))) as manager:
        for force in (False, True):
            with pytest.raises(ConfigurationError, match="its tokens are for"):
                manager.get_token(manager.connection("default"), force=force)

    assert standin.calls == []
    assert target.record("default") == before


def test_the_library_sends_nothing_elsewhere(target: Target, standin: StandIn) -> None:
    """The authenticator gives neither header nor token for another host."""
    log_in(target, "marketing")
    config = elsewhere(target, standin)
    with TikTokAuthenticator.from_config(config, "acme") as auth:
        for url in (standin.url, target.tiktok.url):
            with pytest.raises(ConfigurationError):
                requests.get(f"{url}/open_api/v1.3/ad/get/", auth=auth, timeout=5)
        with pytest.raises(ConfigurationError):
            auth.access_token()
    assert standin.calls == []


def test_a_stored_app_secret_begins_no_login_elsewhere(target: Target, standin: StandIn) -> None:
    """For a login elsewhere the app is asked for, as its stored secret is for one host."""
    log_in(target, "marketing")
    with session(parsing.parse(elsewhere(target, standin))) as manager:
        assert plan_login(manager, "acme", None, ())[0].app is None
    with target.manager() as manager:
        assert plan_login(manager, "acme", None, ())[0].app is not None


def test_a_login_moves_a_connection_on_purpose(target: Target, standin: StandIn) -> None:
    """A login at the new host starts a chain that belongs there, and no more to the old host."""
    log_in(target, "marketing")
    secret = standin.world.add_app("app-2")
    code = standin.world.consent("app-2", timed=False)
    config = parsing.parse(elsewhere(target, standin))
    with session(config) as manager:
        seed = Seed("auth_code", auth_code=code)
        acme = Connection("acme", "marketing", App("app-2", secret), seed)
        finish_login(manager, acme, confirm=lambda question: "someone else" in question)
        assert (
            manager.get_token(manager.connection("acme")).token.access_token in standin.world.access
        )
    with (
        target.manager() as manager,
        pytest.raises(ConfigurationError, match=re.escape(standin.url)),
    ):
        manager.get_token(manager.connection("acme"))


def test_a_pending_login_is_finished_where_it_was_begun(target: Target, standin: StandIn) -> None:
    """The code and the app secret of a login do not go to another host; the login stays."""
    app = target.tiktok.app("accounts")
    with target.manager() as manager:
        acme, _ = plan_login(manager, "acme", "accounts", ())
        acme = replace(acme, app=App(app.app_id, app.app_secret))
        request = begin_login(manager, acme, app.redirect_uri)
    code = target.tiktok.authorize("accounts")
    query = requests.models.PreparedRequest()
    query.prepare_url(app.redirect_uri, {"code": code, "state": request.state})

    result = run(elsewhere(target, standin), "login", "--complete", query.url or "")

    assert result.exit_code == 1
    assert standin.url in result.stderr
    assert standin.calls == []
    assert run(target.settings(), "login", "--complete", query.url or "").exit_code == 0


def _unbound(target: Target, api: str) -> None:
    """Put a row as version 0.1.0 wrote it."""
    record = log_in(target, api)
    with target.store() as store:
        old = replace(record, generation=record.generation + 1, origin=None)
        assert store.commit(old, None)


@pytest.mark.parametrize(
    "host",
    [
        "https://business-api.tiktok.com.example.net",
        "https://business-api.tiktok.com:8443",
        "https://ads.example.com",
        "https://open.tiktokapis.com",
    ],
)
def test_a_row_of_an_older_version_is_for_tiktok(target: Target, host: str) -> None:
    """What has no host is for TikTok's own; a simulator may have it, and it stays with that."""
    _unbound(target, "accounts")
    own = re.escape("are for https://business-api.tiktok.com,")
    with (
        target.manager(business_api_url=host) as manager,
        pytest.raises(ConfigurationError, match=own),
    ):
        manager.get_token(manager.connection("acme"))
    with target.manager() as manager:
        manager.get_token(manager.connection("acme"), force=True)
    assert target.record().origin == target.tiktok.url


@pytest.mark.parametrize(
    "host", ["https://business-api.tiktok.com", "https://sandbox-ads.tiktok.com/"]
)
def test_a_row_of_an_older_version_works_at_tiktok(target: Target, host: str) -> None:
    """What was stored without a host is served for TikTok's own hosts as before."""
    _unbound(target, "accounts")
    with target.manager(business_api_url=host) as manager:
        assert manager.get_token(manager.connection("acme")).token is not None


def test_a_host_cannot_be_written_into_the_row(target: Target) -> None:
    """Which host tokens are for stands sealed in the store, not in a column to edit."""
    log_in(target, "accounts")
    with closing(sqlite3.connect(target.path)) as database:
        dump = "\n".join(database.iterdump())
    assert target.tiktok.url not in dump


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"business_api_url": "https://proxy.example.com/tiktok"}, "https://proxy.example.com"),
        ({"login_kit_api_url": "https://open.tiktokapis.com:444"}, "tiktokapis.com:444"),
        ({"tiktok_url": "https://www.tiktok.example"}, "https://www.tiktok.example"),
    ],
)
def test_a_strange_host_is_warned_of(
    target: Target, settings: dict[str, Any], named: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Each session, and `doctor`, warns of a host that is neither TikTok's nor this machine's."""
    for _ in range(2):
        caplog.clear()
        with caplog.at_level(logging.WARNING), target.manager(**settings):
            (record,) = caplog.records
        assert named in record.getMessage()
        assert "/tiktok" not in record.getMessage().replace("https://", "")
    found = json.loads(run(target.settings(**settings), "doctor", "--json").stdout)
    assert [f for f in found if f["level"] == "warning" and named in f["message"]]


@pytest.mark.parametrize("host", [None, "https://sandbox-ads.tiktok.com"])
def test_tiktok_and_this_machine_are_not_warned_of(
    target: Target, host: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    """TikTok's hosts, its sandbox, and a simulator are nothing to warn of."""
    settings = {"business_api_url": host} if host else {}
    with caplog.at_level(logging.WARNING), target.manager(**settings):
        assert caplog.records == []
