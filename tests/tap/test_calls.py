"""TikTok is asked once for what one answer tells."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.login.people import environment, log_in, run
from tests.standin.runs import APIS, TIMED
from tests.standin.world import app_of

if TYPE_CHECKING:
    from pathlib import Path

    from tap_tiktok_auth.simulator import Simulator
    from tests.standin.runs import Bench


def asked(bench: Bench) -> Counter[str]:
    """Return how often TikTok was asked for what does not change anything there, by path."""
    return Counter(call.path for call in bench.standin.calls if not call.is_token_request)


def connection(bench: Bench, api: str, seed: str, **more: Any) -> dict[str, Any]:
    """Return settings with a code, or with an access token that someone holds already."""
    if seed == "auth_code":
        return bench.settings(bench.consented(api, **more))
    code = bench.world.consent(app_of(api), timed=api in TIMED)
    token, _ = bench.world.hand_out(bench.world.codes[code].consent, refreshable=False)
    return bench.settings(bench.connection(api, access_token=token, **more))


@pytest.mark.parametrize("seed", ["auth_code", "access_token"])
@pytest.mark.parametrize("api", APIS)
def test_no_endpoint_is_asked_twice_by_a_run(bench: Bench, api: str, seed: str) -> None:
    """A first run, which confirms the token and fills all streams, asks no endpoint twice."""
    assert bench.run(connection(bench, api, seed)).code == 0
    assert set(asked(bench).values()) == {1}


@pytest.mark.parametrize("seed", ["auth_code", "access_token"])
def test_configured_ad_accounts(bench: Bench, seed: str) -> None:
    """Where ad accounts are configured, one call of `user/info` confirms the token."""
    done = bench.run(connection(bench, "marketing", seed, advertiser_ids=["7001"]))
    (row,) = done.rows("advertiser_ids")
    assert (row["advertiser_id"], row["source"]) == ("7001", "config")
    assert asked(bench)["/open_api/v1.3/user/info/"] == 1


@pytest.mark.parametrize("scopes", ["user.info.basic", "user.info.basic,user.info.profile"])
def test_the_account_of_login_kit(bench: Bench, scopes: str) -> None:
    """The call that confirms a Login Kit token tells the account, as far as the scopes allow."""
    config = connection(bench, "login_kit", "auth_code")
    bench.world.codes[config["connections"][0]["auth_code"]].consent.scopes = scopes
    (row,) = bench.run(config).rows("tiktok_accounts")
    assert row["display_name"]
    (call,) = (call for call in bench.standin.calls if not call.is_token_request)
    assert ("username" in call.query["fields"]) == ("user.info.profile" in scopes)
    assert asked(bench) == {"/v2/user/info/": 1}


@pytest.mark.parametrize("api", ["marketing", "login_kit"])
def test_a_login(tiktok_simulator: Simulator, tmp_path: Path, api: str) -> None:
    """A login asks TikTok once about its new token."""
    assert log_in(environment(tiktok_simulator, tmp_path, api), "acme")[0] == 0
    actions = [call.action for call in tiktok_simulator.calls()]
    assert len([action for action in actions if action not in {"consent", "exchange"}]) == 1


@pytest.mark.parametrize("api", APIS)
def test_a_login_with_a_token(tiktok_simulator: Simulator, tmp_path: Path, api: str) -> None:
    """A token that someone holds already is confirmed once when it is taken in."""
    token = tiktok_simulator.grant(api).access_token
    variables = environment(tiktok_simulator, tmp_path, api)
    done = run(variables, "login", "acme", "--with-token", said=f"{token}\n")
    assert done.exit_code == 0, done.stderr
    calls = Counter(call.path for call in tiktok_simulator.calls() if call.action != "consent")
    assert set(calls.values()) == {1}
