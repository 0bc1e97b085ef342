"""Plain `requests` with the authenticator."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_tiktok_auth import TikTokAuthenticator, TikTokAuthError
from tap_tiktok_auth.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from tap_tiktok_auth.simulator import Simulator

    from .conftest import Make
    from .loopback import Loopback


def advertiser_info(tiktok: Simulator) -> str:
    """Return the address of a data call of the Marketing API."""
    ids = json.dumps(list(tiktok.advertiser_ids))
    return f"{tiktok.url}/open_api/v1.3/advertiser/info/?advertiser_ids={ids}"


def user_info(tiktok: Simulator) -> str:
    """Return the address of a data call of Login Kit."""
    return f"{tiktok.url}/v2/user/info/?fields=open_id"


def test_marketing(auth: TikTokAuthenticator, tiktok_simulator: Simulator) -> None:
    """A plain GET with the authenticator gets data of the Marketing API."""
    answer = requests.get(advertiser_info(tiktok_simulator), auth=auth, timeout=10).json()
    assert answer["code"] == 0
    assert len(answer["data"]["list"]) == len(tiktok_simulator.advertiser_ids)


@pytest.mark.tiktok_api("login_kit")
def test_login_kit(auth: TikTokAuthenticator, tiktok_simulator: Simulator) -> None:
    """A connection of Login Kit sends its token as `Bearer`, and in no other header."""
    answer = requests.get(user_info(tiktok_simulator), auth=auth, timeout=10)
    assert answer.json()["data"]["user"]["open_id"]
    assert answer.request.headers["Authorization"].startswith("Bearer ")
    assert "Access-Token" not in answer.request.headers


def test_token_is_in_no_address(auth: TikTokAuthenticator, tiktok_simulator: Simulator) -> None:
    """The token goes into the header and not into the address."""
    answer = requests.get(advertiser_info(tiktok_simulator), auth=auth, timeout=10)
    token = answer.request.headers["Access-Token"]
    assert tiktok_simulator.token_state(str(token)) == "live"
    assert str(token) not in (answer.request.url or "")


def test_nothing_happens_before_the_first_request(
    make: Make, tiktok_connection: dict[str, Any], tiktok_simulator: Simulator, tmp_path: Path
) -> None:
    """Making an authenticator neither opens the store nor calls TikTok."""
    auth = make(tiktok_connection)
    assert tiktok_simulator.calls() == []
    assert not (tmp_path / "tokens.db").exists()
    assert auth.access_token()
    assert (tmp_path / "tokens.db").exists()


def test_threads_exchange_once(auth: TikTokAuthenticator, tiktok_simulator: Simulator) -> None:
    """Sixteen threads that start together share one exchange."""
    start = threading.Barrier(16)

    def get(_: int) -> int:
        start.wait(10)
        answer = requests.get(advertiser_info(tiktok_simulator), auth=auth, timeout=30)
        return int(answer.json()["code"])

    with ThreadPoolExecutor(16) as pool:
        assert list(pool.map(get, range(16))) == [0] * 16
    assert tiktok_simulator.count("exchange") == 1


def test_two_authenticators_share_the_chain(
    make: Make, tiktok_connection: dict[str, Any], tiktok_simulator: Simulator
) -> None:
    """A second authenticator over the same store finds the token of the first."""
    assert make(tiktok_connection).access_token() == make(tiktok_connection).access_token()
    assert tiktok_simulator.count("exchange") == 1


def test_works_again_after_close(auth: TikTokAuthenticator, tiktok_simulator: Simulator) -> None:
    """An authenticator that was closed opens its store again when it is used."""
    first = auth.access_token()
    auth.close()
    auth.close()
    assert auth.access_token() == first
    assert tiktok_simulator.count("exchange") == 1


def test_names_a_connection(
    make: Make, tiktok_connection: dict[str, Any], tiktok_simulator: Simulator
) -> None:
    """With several connections the argument chooses; without it the error lists them."""
    entries = [
        {"name": name, "auth_code": tiktok_simulator.authorize("marketing")}
        for name in ("acme", "beta")
    ]
    shared = {k: v for k, v in tiktok_connection.items() if k != "auth_code"}
    config = {**shared, "connections": entries}

    assert make(config, "acme").access_token() != make(config, "beta").access_token()
    with pytest.raises(ConfigurationError, match="2 connections: acme, beta"):
        make(config).access_token()
    with pytest.raises(ConfigurationError, match="no connection named gamma"):
        make(config, "gamma").access_token()


def test_only_connection_of_the_store(make: Make, tiktok_connection: dict[str, Any]) -> None:
    """A config without connections uses the only one that the store has for its app."""
    token = make(tiktok_connection).access_token()
    config = {k: v for k, v in tiktok_connection.items() if k != "auth_code"}
    assert make(config).access_token() == token


def test_from_environment(tiktok_connection: dict[str, Any]) -> None:
    """The tap's environment variables are enough."""
    environ = {f"TAP_TIKTOK_AUTH_{k.upper()}": v for k, v in tiktok_connection.items()}
    with TikTokAuthenticator.from_environment(environ=environ) as auth:
        assert auth.access_token()


def test_wrong_config_is_told_at_once() -> None:
    """A wrong setting is named when the authenticator is made, without its value."""
    with pytest.raises(ConfigurationError, match="app_secret is missing") as caught:
        TikTokAuthenticator.from_config({"app_id": "7", "auth_code": "hush-hush"})
    assert "hush-hush" not in str(caught.value)


def test_no_token_names_the_next_step(
    make: Make, tiktok_connection: dict[str, Any], host: Loopback
) -> None:
    """Where TikTok refuses the seed, the request raises what to do and is not sent."""
    auth = make({**tiktok_connection, "auth_code": "wrong-code"})
    with pytest.raises(TikTokAuthError, match=r"connection default: .*tiktok-auth login default"):
        requests.get(f"{host.url}/open_api/v1.3/user/info/", auth=auth, timeout=10)
    assert host.received == []


def test_repr_has_no_secret(make: Make, tiktok_connection: dict[str, Any]) -> None:
    """An authenticator shows its connection's name and no secret, also once it has a token."""
    auth = make(tiktok_connection, "default")
    token = auth.access_token()
    assert "default" in repr(auth)
    secrets = [token, *(tiktok_connection[k] for k in ("app_secret", "token_store_key"))]
    assert not [secret for secret in secrets if secret in repr(auth)]


@pytest.mark.parametrize("ending", ["", "; del auth; import gc; gc.collect()"])
def test_unclosed_ends_quietly(ending: str, tiktok_connection: dict[str, Any]) -> None:
    """An authenticator that nobody closes closes its store itself, without a warning."""
    program = (
        "import json, sys; from tap_tiktok_auth import TikTokAuthenticator as A; "
        f"auth = A.from_config(json.load(sys.stdin)); token = auth.access_token(){ending}"
    )
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", program],
        input=json.dumps(tiktok_connection),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
