"""The controls, in Python and over HTTP."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import requests

from tap_tiktok_auth.simulator import Simulator

from .client import V1, Client

TOKEN_STATES = "/_simulator/token_state"


def test_same_seed_same_tokens() -> None:
    """Two simulators with one seed hand out the same strings, without a seed others."""

    def strings(seed: int | None) -> tuple[str, ...]:
        tiktok = Simulator(seed=seed, clock=lambda: 0.0)
        tokens = tiktok.grant("accounts")
        return (tokens.access_token, tiktok.app().app_secret, tiktok.authorize())

    assert strings(7) == strings(7)
    assert strings(None) != strings(None)


def test_one_business_app_for_four_token_systems() -> None:
    """Marketing, accounts and both marketplace sides share an app; Login Kit has its own."""
    tiktok = Simulator()
    apis = ("marketing", "accounts", "creator_marketplace", "creator")
    assert len({tiktok.app(api).app_id for api in apis}) == 1
    assert tiktok.app("login_kit").app_id != tiktok.app().app_id


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("app", {"api": "video"}, "unknown api 'video'"),
        ("authorize", {"api": "accounts", "redirect_uri": "http://localhost:1/"}, "must be https"),
        ("authorize", {"api": "marketing", "scopes": ["user.info.basic"]}, "numbers"),
        ("advance", {"seconds": -1}, "forward"),
    ],
)
def test_wrong_arguments_are_explained(name: str, arguments: dict[str, Any], reason: str) -> None:
    """What TikTok would not take, and a clock that goes back, is a ValueError that says why."""
    with pytest.raises(ValueError, match=reason):
        getattr(Simulator(), name)(**arguments)


def test_old_grants_can_be_made() -> None:
    """A grant of some age has that much less time left."""
    tokens = Simulator(clock=lambda: 1_800_000_000.0).grant("accounts", age=86000)
    assert (tokens.expires_in, tokens.refresh_expires_in) == (400, 31536000 - 86000)


def test_calls_are_listed_without_secrets(client: Client) -> None:
    """A call shows action, field names, outcome and hashes; the same secret, the same hash."""
    app, tokens = client.tiktok.app("accounts"), client.tiktok.grant("accounts")
    for _ in range(2):
        client.refresh("accounts", tokens.refresh_token)
    first, second = client.tiktok.calls(action="refresh")
    assert first.fields == ("client_id", "client_secret", "grant_type", "refresh_token")
    assert set(first.hashes) == {"client_secret", "refresh_token"}
    assert (first.outcome, second.outcome) == ("0", "40107")
    assert first.hashes["refresh_token"] == second.hashes["refresh_token"]
    assert first.app_id == app.app_id
    assert (client.tiktok.count(outcome="40107"), client.tiktok.count("exchange")) == (1, 0)
    shown = f"{client.tiktok.calls()!r} {tokens!r} {app!r}"
    for secret in (tokens.access_token, str(tokens.refresh_token), app.app_secret):
        assert secret not in shown


def test_header_token_is_hashed_and_names_the_app(client: Client) -> None:
    """A token in the header counts as a secret and tells which app calls."""
    token = client.tiktok.grant("marketing").access_token
    client.get(f"{V1}/user/info/", token)
    (call,) = client.tiktok.calls(path="/user/info/")
    assert set(call.hashes) == {"Access-Token"}
    assert call.app_id == client.tiktok.app().app_id
    assert token not in repr(call)


def test_reset_forgets(client: Client) -> None:
    """After a reset there are no tokens, calls, scenarios or skipped hours."""
    tokens = client.tiktok.grant("accounts")
    client.tiktok.scenario("http_500")
    client.tiktok.advance(3600)
    ahead = client.tiktok.now()
    client.tiktok.reset()
    assert client.tiktok.token_state(tokens.access_token) == "unknown"
    assert client.tiktok.scenarios() == []
    assert client.tiktok.calls() == []
    assert client.tiktok.now() < ahead
    client.exchange("marketing", client.tiktok.authorize())
    client.tiktok.clear_calls()
    assert client.tiktok.count() == 0


def test_controls_over_http(client: Client) -> None:
    """Another process can authorise, skip time, cause trouble and look at the calls."""
    code = client.post("/_simulator/authorize", api="accounts")["code"]
    client.post("/_simulator/scenario", name="rate_limited", times=1)
    assert client.exchange("accounts", code)["code"] == 40100
    data = client.exchange("accounts", code)["data"]
    assert client.post(TOKEN_STATES, token=data["access_token"]) == {"state": "live"}
    client.post("/_simulator/advance", seconds=86400)
    assert client.post(TOKEN_STATES, token=data["access_token"]) == {"state": "expired"}
    assert client.post("/_simulator/revoke", token_or_subject=data["open_id"]) == {"grants": 1}
    assert client.get("/_simulator/count", action="exchange") == {"count": 2}
    assert client.get("/_simulator/stats")["tokens_spent"] == 1
    calls = client.send("GET", "/_simulator/calls", params={"outcome": "40100"}).json()
    assert [call["action"] for call in calls] == ["exchange"]


def test_other_operations_over_http(client: Client) -> None:
    """Apps, settings, grants, redirects, lost advertisers and a reset are there too."""
    app = client.post("/_simulator/app", api="login_kit")
    assert app["app_id"] == client.tiktok.app("login_kit").app_id
    settings = client.post("/_simulator/settings")
    assert (settings["api"], settings["business_api_url"]) == ("marketing", client.tiktok.url)
    assert client.exchange("marketing", settings["auth_code"])["code"] == 0
    redirect = {"api": "accounts", "redirect_uri": "https://example.com/more/"}
    assert client.post("/_simulator/register_redirect", **redirect) == {"done": True}
    assert client.post("/_simulator/authorize", **redirect)["code"]
    tokens = client.post("/_simulator/grant", api="marketing", advertisers=["7001"])
    assert tokens["refresh_token"] is None
    assert client.post("/_simulator/lose_advertiser", advertiser_id="7001") == {"grants": 1}
    client.post("/_simulator/reset")
    assert client.post(TOKEN_STATES, token=tokens["access_token"]) == {"state": "unknown"}


def test_controls_document_themselves(client: Client) -> None:
    """``GET /_simulator/`` lists every operation, every one it lists is served, none is a call."""
    about = client.get("/_simulator/")
    assert "rate_limited" in about["scenarios"]
    for line in about["operations"]:
        method, path = line.split()
        assert client.send(method, path, json={}).status_code in {200, 400}
    assert client.send("POST", "/_simulator/nothing").status_code == 404
    assert client.tiktok.count() == 0


@pytest.mark.parametrize(
    ("name", "fields", "reason"),
    [
        ("scenario", {"name": "nonsense"}, "unknown scenario 'nonsense'"),
        ("scenario", {}, "'name'"),
        ("advance", {"seconds": -1}, "forward"),
        ("advance", {"seconds": "soon"}, "str"),
        ("authorize", {"api": "video"}, "unknown api 'video'"),
        ("authorize", {"surprise": 1}, "unknown field(s): surprise"),
    ],
)
def test_wrong_controls_are_explained(
    client: Client, name: str, fields: dict[str, Any], reason: str
) -> None:
    """A wrong field or value is HTTP 400 with a sentence."""
    answer = client.send("POST", f"/_simulator/{name}", json=fields)
    assert (answer.status_code, reason in answer.json()["error"]) == (400, True)


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
        {"Host": "[bad"},
    ],
)
def test_browsers_and_other_hosts_may_not_control(client: Client, headers: dict[str, str]) -> None:
    """A web page cannot reach the controls through the developer's browser."""
    answer = client.send("GET", "/_simulator/calls", headers=headers)
    assert answer.status_code == 403


def test_port_can_be_chosen_and_is_free_again() -> None:
    """A stopped simulator's port can be taken by the next one; a running one's cannot."""
    with Simulator() as first:
        port = int(first.url.rpartition(":")[2])
        with pytest.raises(OSError, match=r"[Aa]ddress"):
            Simulator(port=port).start()
        with pytest.raises(RuntimeError, match="running"):
            first.start()
    with Simulator(port=port) as second:
        assert second.url == first.url
        assert requests.get(second.url, timeout=5).status_code == 404


def test_forgotten_simulator_does_not_keep_python_alive() -> None:
    """A program that starts a simulator and never stops it ends all the same."""
    program = "from tap_tiktok_auth.simulator import Simulator; Simulator().start()"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_package_is_light_and_stands_alone() -> None:
    """Importing the package loads no aiohttp, and the simulator needs nothing of the tap."""
    program = (
        "import sys, tap_tiktok_auth\n"
        "before = set(sys.modules)\n"
        "import tap_tiktok_auth.simulator, tap_tiktok_auth.pytest_plugin\n"
        "assert 'aiohttp' not in sys.modules and 'singer_sdk' not in sys.modules\n"
        "from tap_tiktok_auth.simulator import Simulator\n"
        "own = ('tap_tiktok_auth.simulator', 'tap_tiktok_auth.pytest_plugin')\n"
        "new = {n for n in set(sys.modules) - before if n.startswith('tap_tiktok_auth')}\n"
        "print(sorted(n for n in new if not n.startswith(own)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip() == "[]"
