"""TikTok is asked once for what one answer tells."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.apis import APIS
from tests.login.people import environment, log_in, run

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator import Simulator

TAP = Path(sys.executable).with_name("tap-tiktok-auth")


def asked(tiktok: Simulator) -> Counter[str]:
    """How often TikTok was asked for what does not change anything there, by path."""
    changes = {"exchange", "refresh", "consent"}
    return Counter(call.path for call in tiktok.calls() if call.action not in changes)


def records(
    tiktok: Simulator, folder: Path, connection: dict[str, Any], stream: str
) -> list[dict[str, Any]]:
    """Run the tap with one connection; return the records of a stream."""
    hosts = dict.fromkeys(("business_api_url", "login_kit_api_url", "tiktok_url"), tiktok.url)
    store = {"token_store": f"sqlite:///{folder / 'tokens.db'}", "requests_per_second": 1000}
    path = folder / "config.json"
    path.write_text(json.dumps({**hosts, **store, "connections": [connection]}), encoding="utf-8")
    done = subprocess.run(
        [TAP, "--config", path],
        env={"PATH": "", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    return [m["record"] for m in messages if m["type"] == "RECORD" and m["stream"] == stream]


def connection(tiktok: Simulator, api: str, seed: str, **more: object) -> dict[str, Any]:
    """Settings of a connection with a code, or with an access token that someone holds already."""
    app, own = tiktok.app(api), tiktok.settings(api)
    kept = {"name": "acme", "api": api, "app_id": app.app_id, "app_secret": app.app_secret}
    if seed == "access_token":
        return {**kept, seed: tiktok.grant(api).access_token, **more}
    return {**kept, seed: own[seed], "redirect_uri": own["redirect_uri"], **more}


@pytest.mark.parametrize("seed", ["auth_code", "access_token"])
@pytest.mark.parametrize("api", APIS)
def test_no_endpoint_is_asked_twice_by_a_run(
    tiktok_simulator: Simulator, tmp_path: Path, api: str, seed: str
) -> None:
    """A first run, which confirms the token and fills all streams, asks no endpoint twice."""
    records(tiktok_simulator, tmp_path, connection(tiktok_simulator, api, seed), "token_metadata")
    assert set(asked(tiktok_simulator).values()) == {1}


@pytest.mark.parametrize("seed", ["auth_code", "access_token"])
def test_configured_ad_accounts(tiktok_simulator: Simulator, tmp_path: Path, seed: str) -> None:
    """Where ad accounts are configured, one call of `user/info` confirms the token."""
    ids = list(tiktok_simulator.advertiser_ids)[:1]
    mine = connection(tiktok_simulator, "marketing", seed, advertiser_ids=ids)
    (row,) = records(tiktok_simulator, tmp_path, mine, "advertiser_ids")
    assert (row["advertiser_id"], row["source"]) == (ids[0], "config")
    assert asked(tiktok_simulator)["/open_api/v1.3/user/info/"] == 1


@pytest.mark.parametrize("scopes", [("user.info.basic",), ("user.info.basic", "user.info.profile")])
def test_the_account_of_login_kit(
    tiktok_simulator: Simulator, tmp_path: Path, scopes: tuple[str, ...]
) -> None:
    """The call that confirms a Login Kit token tells the account, as far as the scopes allow."""
    app = tiktok_simulator.app("login_kit")
    code = tiktok_simulator.authorize("login_kit", scopes=scopes)
    mine = connection(tiktok_simulator, "login_kit", "auth_code")
    mine |= {"auth_code": code, "redirect_uri": app.redirect_uri}
    (row,) = records(tiktok_simulator, tmp_path, mine, "tiktok_accounts")
    assert row["display_name"]
    assert bool(row["username"]) == ("user.info.profile" in scopes)
    assert asked(tiktok_simulator) == {"/v2/user/info/": 1}


@pytest.mark.parametrize("api", ["marketing", "login_kit"])
def test_a_login(tiktok_simulator: Simulator, tmp_path: Path, api: str) -> None:
    """A login asks TikTok once about its new token."""
    assert log_in(environment(tiktok_simulator, tmp_path, api), "acme")[0] == 0
    calls = [
        call for call in tiktok_simulator.calls() if call.action not in {"consent", "exchange"}
    ]
    assert len(calls) == 1


@pytest.mark.parametrize("api", APIS)
def test_a_login_with_a_token(tiktok_simulator: Simulator, tmp_path: Path, api: str) -> None:
    """A token that someone holds already is confirmed once when it is taken in."""
    token = tiktok_simulator.grant(api).access_token
    variables = environment(tiktok_simulator, tmp_path, api)
    done = run(variables, "login", "acme", "--with-token", said=f"{token}\n")
    assert done.exit_code == 0, done.stderr
    assert set(asked(tiktok_simulator).values()) == {1}
