"""Things that go wrong on demand."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_tiktok_auth.simulator import Scenario, Simulator

if TYPE_CHECKING:
    from .client import Client

V1 = "/open_api/v1.3"
REFRESH = "/tt_user/oauth2/refresh_token/"


def _advertisers(client: Client, token: str) -> Any:
    return client.get(f"{V1}/oauth2/advertiser/get/", token, **client.app_fields())


@pytest.mark.parametrize(("name", "code"), [("rate_limited", 40100), ("system_error", 50000)])
def test_business_bursts(client: Client, name: str, code: int) -> None:
    """A burst of n answers refuses n times, spends nothing, and then it is over."""
    auth_code = client.tiktok.authorize("marketing")
    client.tiktok.scenario(name, times=2)
    codes = [client.exchange("marketing", auth_code)["code"] for _ in range(3)]
    assert codes == [code, code, 0]


@pytest.mark.parametrize(
    ("name", "error"),
    [("rate_limited", "temporarily_unavailable"), ("system_error", "server_error")],
)
def test_login_kit_bursts(client: Client, name: str, error: str) -> None:
    """Login Kit has its own words for the same."""
    auth_code = client.tiktok.authorize("login_kit")
    client.tiktok.scenario(name, times=1)
    assert client.exchange("login_kit", auth_code)["error"] == error
    assert "access_token" in client.exchange("login_kit", auth_code)


@pytest.mark.parametrize(("name", "status"), [("http_500", 500), ("http_502", 502)])
def test_gateway_errors_are_not_json_and_spend_nothing(
    client: Client, name: str, status: int
) -> None:
    """A 5xx has no JSON, and the code can still be exchanged."""
    auth_code = client.tiktok.authorize("marketing")
    client.tiktok.scenario(name, times=1)
    fields = {**client.app_fields(), "auth_code": auth_code}
    answer = client.send("POST", f"{V1}/oauth2/access_token/", json=fields)
    assert answer.status_code == status
    assert not answer.headers["Content-Type"].startswith("application/json")
    assert client.exchange("marketing", auth_code)["code"] == 0


def test_drop_reply_spends_the_token(client: Client) -> None:
    """After a lost reply the refresh token is gone: the request was processed."""
    tokens = client.tiktok.grant("accounts")
    client.tiktok.scenario("drop_reply", times=1, path=REFRESH)
    with pytest.raises(requests.ConnectionError):
        client.refresh("accounts", str(tokens.refresh_token))
    assert client.tiktok.token_state(str(tokens.refresh_token)) == "rotated"
    (call,) = client.tiktok.calls(action="refresh")
    assert (call.outcome, call.status, call.scenarios) == ("0", 0, ("drop_reply",))


def test_drop_before_spends_nothing(client: Client) -> None:
    """A connection that is closed early leaves the refresh token alive, and is on record."""
    tokens = client.tiktok.grant("accounts")
    client.tiktok.scenario("drop_before", times=1)
    with pytest.raises(requests.ConnectionError):
        client.refresh("accounts", str(tokens.refresh_token))
    assert client.tiktok.token_state(str(tokens.refresh_token)) == "live"
    assert [call.outcome for call in client.tiktok.calls(action="refresh")] == ["dropped"]


def test_hang_ends_when_the_client_gives_up(client: Client) -> None:
    """A hanging reply was processed; the client gives up and the server lives on."""
    tokens = client.tiktok.grant("accounts")
    client.tiktok.scenario("hang", times=1)
    with pytest.raises(requests.ReadTimeout):
        client.send(
            "POST",
            f"{V1}{REFRESH}",
            json={
                **client.app_fields("accounts"),
                "grant_type": "refresh_token",
                "refresh_token": tokens.refresh_token,
            },
            timeout=0.2,
        )
    assert client.tiktok.token_state(str(tokens.refresh_token)) == "rotated"
    assert client.exchange("marketing", client.tiktok.authorize("marketing"))["code"] == 0


def test_stopping_does_not_wait_for_a_hanging_reply() -> None:
    """A simulator with an open, silent connection can be stopped at once."""
    with Simulator() as tiktok:
        tiktok.scenario("hang")
        with pytest.raises(requests.ReadTimeout):
            requests.get(f"{tiktok.url}/v2/user/info/", timeout=0.2)
        started = time.monotonic()
    # Far above what it takes, far below the five seconds after which stop() would give up.
    assert time.monotonic() - started < 4


@pytest.mark.parametrize("name", ["garbage", "truncated", "empty"])
def test_spoiled_bodies_come_after_processing(client: Client, name: str) -> None:
    """A body that cannot be read comes with HTTP 200, and the code is spent."""
    code = client.tiktok.authorize("marketing")
    client.tiktok.scenario(name, times=1)
    fields = {**client.app_fields(), "auth_code": code}
    answer = client.send("POST", f"{V1}/oauth2/access_token/", json=fields)
    assert answer.status_code == 200
    with pytest.raises(requests.JSONDecodeError):
        answer.json()
    assert client.tiktok.token_state(code) == "rotated"


def test_latency_delays_the_answer(client: Client) -> None:
    """A latency of 150 ms is at least that."""
    client.tiktok.scenario("latency", value=150, times=1)
    assert client.send("GET", "/").elapsed.total_seconds() >= 0.15


def test_revoked_in_the_middle(client: Client) -> None:
    """The consent is withdrawn between two calls."""
    tokens = client.tiktok.grant("marketing")
    client.tiktok.scenario("revoked", times=1, path="/advertiser/get/")
    assert _advertisers(client, tokens.access_token)["code"] == 40105
    assert client.tiktok.token_state(tokens.access_token) == "revoked"


def test_lost_advertiser_for_one_call(client: Client) -> None:
    """The first advertiser is missing once, then it is back."""
    tokens = client.tiktok.grant("marketing", advertisers=["7001", "7002"])
    client.tiktok.scenario("lost_advertiser", times=1)
    counts = [len(_advertisers(client, tokens.access_token)["data"]["list"]) for _ in range(2)]
    assert counts == [1, 2]


def test_short_lifetimes(client: Client) -> None:
    """Access tokens live as many seconds as asked for."""
    client.tiktok.scenario("short_lifetimes", value=5)
    data = client.exchange("accounts", client.tiktok.authorize("accounts"))["data"]
    assert data["expires_in"] == 5
    client.tiktok.advance(5)
    assert client.tiktok.token_state(data["access_token"]) == "expired"


@pytest.mark.parametrize("api", ["accounts", "login_kit"])
def test_refresh_without_a_refresh_token(client: Client, api: str) -> None:
    """The field is missing from the answer, not empty."""
    tokens = client.tiktok.grant(api)
    client.tiktok.scenario("no_refresh_token_in_refresh", times=1)
    answer = client.refresh(api, str(tokens.refresh_token))
    assert "refresh_token" not in answer.get("data", answer)


def test_long_lists(client: Client) -> None:
    """A hundred thousand advertisers come in one answer of less than ten megabytes."""
    tokens = client.tiktok.grant("marketing")
    client.tiktok.scenario("long_lists", value=100_000)
    answer = client.send(
        "GET",
        f"{V1}/oauth2/advertiser/get/",
        params=client.app_fields(),
        headers={"Access-Token": tokens.access_token},
    )
    ids = {entry["advertiser_id"] for entry in answer.json()["data"]["list"]}
    assert len(ids) == 100_000
    assert len(answer.content) < 10_000_000
    some = client.get(
        f"{V1}/advertiser/info/", tokens.access_token, advertiser_ids=f'["{max(ids)}"]'
    )
    assert some["code"] == 0


def test_scenarios_add_up_and_can_be_switched_off(client: Client) -> None:
    """Several scenarios work side by side, and end when told to."""
    client.tiktok.scenario("http_500", path="/oauth2/access_token/")
    client.tiktok.scenario("rate_limited")
    code = client.tiktok.authorize("marketing")
    fields = {**client.app_fields(), "auth_code": code}
    assert client.send("POST", f"{V1}/oauth2/access_token/", json=fields).status_code == 500
    client.tiktok.clear_scenarios("http_500")
    assert client.exchange("marketing", code)["code"] == 40100
    client.tiktok.clear_scenarios()
    assert client.exchange("marketing", code)["code"] == 0


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ("hang", Scenario("hang")),
        ("http_500x2", Scenario("http_500", times=2)),
        ("latency=250", Scenario("latency", value=250)),
        ("latency", Scenario("latency", value=100)),
        ("drop_replyx1@/refresh_token/", Scenario("drop_reply", times=1, path="/refresh_token/")),
        ("short_lifetimes=5x3@/x", Scenario("short_lifetimes", value=5, times=3, path="/x")),
    ],
)
def test_specs_are_read(spec: str, expected: Scenario) -> None:
    """The short form says name, value, count and path."""
    assert Scenario.parse(spec) == expected


@pytest.mark.parametrize(
    "spec", ["", "nonsense", "hang=3", "hangx0", "latency=-1", "long_lists=100001", "hang x2"]
)
def test_wrong_specs_are_refused(spec: str) -> None:
    """A spec that makes no sense is a ValueError."""
    with pytest.raises(ValueError, match=r"scenario|long_lists"):
        Scenario.parse(spec)
