"""Things that go wrong on demand."""

from __future__ import annotations

import time

import pytest
import requests

from tap_tiktok_auth.simulator import Scenario, Simulator

from .client import V1, Client, said


def _post_exchange(client: Client, code: str) -> requests.Response:
    fields = {**client.app_fields(), "auth_code": code}
    return client.send("POST", f"{V1}/oauth2/access_token/", json=fields)


@pytest.mark.parametrize(
    ("api", "name", "refusal"),
    [
        ("marketing", "rate_limited", 40100),
        ("marketing", "system_error", 50000),
        ("login_kit", "rate_limited", "temporarily_unavailable"),
        ("login_kit", "system_error", "server_error"),
    ],
)
def test_bursts(client: Client, api: str, name: str, refusal: object) -> None:
    """A burst of n answers refuses n times, in the API's words, spends nothing, and is over."""
    code = client.tiktok.authorize(api)
    client.tiktok.scenario(name, times=2)
    answers = [client.exchange(api, code) for _ in range(3)]
    assert [said(answer) for answer in answers[:2]] == [refusal, refusal]
    assert said(answers[2]) in {0, None}


@pytest.mark.parametrize(("name", "status"), [("http_500", 500), ("http_502", 502)])
def test_gateway_errors_are_not_json_and_spend_nothing(
    client: Client, name: str, status: int
) -> None:
    """A 5xx has no JSON, and the code can still be exchanged."""
    auth_code = client.tiktok.authorize("marketing")
    client.tiktok.scenario(name, times=1)
    answer = _post_exchange(client, auth_code)
    assert answer.status_code == status
    assert not answer.headers["Content-Type"].startswith("application/json")
    assert client.exchange("marketing", auth_code)["code"] == 0


@pytest.mark.parametrize(
    ("name", "error", "state", "outcome"),
    [
        ("drop_before", requests.ConnectionError, "live", "dropped"),
        ("drop_reply", requests.ConnectionError, "rotated", "0"),
        ("hang", requests.ReadTimeout, "rotated", "0"),
    ],
)
def test_lost_answers(
    client: Client, name: str, error: type[Exception], state: str, outcome: str
) -> None:
    """Before processing nothing is spent, after it the refresh token is; it is on record."""
    token = client.tiktok.grant("accounts").refresh_token
    client.tiktok.scenario(name, times=1, path="/tt_user/oauth2/refresh_token/")
    fields = {**client.app_fields("accounts"), "grant_type": "refresh_token"}
    path = f"{V1}/tt_user/oauth2/refresh_token/"
    with pytest.raises(error):
        client.send("POST", path, json={**fields, "refresh_token": token}, timeout=0.5)
    assert client.tiktok.token_state(str(token)) == state
    (call,) = client.tiktok.calls(action="refresh")
    assert (call.outcome, call.status, call.scenarios) == (outcome, 0, (name,))
    assert client.exchange("marketing")["code"] == 0


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
    answer = _post_exchange(client, code)
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
    assert client.advertisers(tokens.access_token)["code"] == 40105
    assert client.tiktok.token_state(tokens.access_token) == "revoked"


def test_lost_advertiser_for_one_call(client: Client) -> None:
    """The first advertiser is missing once, then it is back."""
    tokens = client.tiktok.grant("marketing", advertisers=["7001", "7002"])
    client.tiktok.scenario("lost_advertiser", times=1)
    counts = [len(client.advertisers(tokens.access_token)["data"]["list"]) for _ in range(2)]
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
    assert _post_exchange(client, code).status_code == 500
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
