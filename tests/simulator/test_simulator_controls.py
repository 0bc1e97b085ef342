"""The controls, in Python and over HTTP."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_tiktok_auth.simulator import Simulator

if TYPE_CHECKING:
    from .client import Client

V1 = "/open_api/v1.3"
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
    with pytest.raises(ValueError, match="unknown api 'video'"):
        tiktok.app("video")


def test_no_secret_in_a_repr() -> None:
    """Neither apps nor tokens nor calls show a secret when they are printed."""
    tiktok = Simulator()
    tokens, app = tiktok.grant("accounts"), tiktok.app("accounts")
    shown = f"{tokens!r} {app!r}"
    for secret in (tokens.access_token, str(tokens.refresh_token), app.app_secret):
        assert secret not in shown


def test_calls_are_listed_without_secrets(client: Client) -> None:
    """A call shows action, field names, outcome and hashes; the same secret, the same hash."""
    tokens = client.tiktok.grant("accounts")
    client.refresh("accounts", str(tokens.refresh_token))
    client.refresh("accounts", str(tokens.refresh_token))
    first, second = client.tiktok.calls(action="refresh")
    assert first.fields == ("client_id", "client_secret", "grant_type", "refresh_token")
    assert (first.outcome, second.outcome) == ("0", "40107")
    assert first.hashes["refresh_token"] == second.hashes["refresh_token"]
    assert first.app_id == client.tiktok.app("accounts").app_id
    assert str(tokens.refresh_token) not in repr(client.tiktok.calls())
    assert client.tiktok.count(outcome="40107") == 1
    assert client.tiktok.count(action="exchange") == 0


def test_header_token_is_hashed_and_names_the_app(client: Client) -> None:
    """A token in the header counts as a secret and tells which app calls."""
    token = client.tiktok.grant("marketing").access_token
    client.get(f"{V1}/user/info/", token)
    (call,) = client.tiktok.calls(path="/user/info/")
    assert set(call.hashes) == {"Access-Token"}
    assert call.app_id == client.tiktok.app().app_id
    assert token not in repr(call)


def test_settings_exchange(client: Client) -> None:
    """The settings carry a code that can be exchanged, and the address of the simulator."""
    settings = client.tiktok.settings("accounts")
    assert settings["business_api_url"] == client.tiktok.url
    assert client.exchange("accounts", settings["auth_code"])["code"] == 0


def test_authorize_refuses_a_redirect_that_tiktok_would_refuse() -> None:
    """A code cannot be had for a localhost redirect where TikTok forbids it."""
    with pytest.raises(ValueError, match="must be https"):
        Simulator().authorize("accounts", redirect_uri="http://localhost:1/")


def test_marketing_scopes_are_numbers() -> None:
    """A scope that is no number is refused, as the answer lists integers."""
    with pytest.raises(ValueError, match="numbers"):
        Simulator().authorize("marketing", scopes=["user.info.basic"])


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


def test_clock_goes_forward_only() -> None:
    """Time cannot be turned back."""
    with pytest.raises(ValueError, match="forward"):
        Simulator().advance(-1)


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
    assert client.post("/_simulator/settings")["api"] == "marketing"
    redirect = {"api": "accounts", "redirect_uri": "https://example.com/more/"}
    assert client.post("/_simulator/register_redirect", **redirect) == {"done": True}
    assert client.post("/_simulator/authorize", **redirect)["code"]
    tokens = client.post("/_simulator/grant", api="marketing", advertisers=["7001"])
    assert tokens["refresh_token"] is None
    assert client.post("/_simulator/lose_advertiser", advertiser_id="7001") == {"grants": 1}
    client.post("/_simulator/reset")
    assert client.post(TOKEN_STATES, token=tokens["access_token"]) == {"state": "unknown"}


def test_controls_document_themselves(client: Client) -> None:
    """``GET /_simulator/`` lists every operation, and every one it lists is served."""
    about = client.get("/_simulator/")
    assert "rate_limited" in about["scenarios"]
    for line in about["operations"]:
        method, path = line.split()
        assert client.send(method, path, json={}).status_code in {200, 400}


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/_simulator/scenario", {"name": "nonsense"}),
        ("/_simulator/scenario", {}),
        ("/_simulator/advance", {"seconds": -1}),
        ("/_simulator/advance", {"seconds": "soon"}),
        ("/_simulator/authorize", {"api": "video"}),
        ("/_simulator/authorize", {"surprise": 1}),
    ],
)
def test_wrong_controls_are_explained(client: Client, path: str, fields: dict[str, Any]) -> None:
    """A wrong field or value is HTTP 400 with a sentence."""
    answer = client.send("POST", path, json=fields)
    assert answer.status_code == 400
    assert answer.json()["error"]


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


def test_controls_are_not_in_the_call_list(client: Client) -> None:
    """Looking at the simulator does not count as a call to TikTok."""
    client.get("/_simulator/stats")
    assert client.tiktok.count() == 0


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
