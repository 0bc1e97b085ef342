"""The client python-tiktok, as it is on PyPI, talks to the simulator.

Its ``KitApi`` is left out: it speaks the Login Kit of 2023, whose hosts have ended.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.simulator import Simulator

pytiktok = pytest.importorskip("pytiktok")


@pytest.fixture
def account_api(tiktok_simulator: Simulator) -> Iterator[Any]:
    """Return a client whose documented ``base_url`` points at the simulator."""
    app = tiktok_simulator.app("accounts")
    api = pytiktok.BusinessAccountApi(
        app_id=app.app_id,
        app_secret=app.app_secret,
        oauth_redirect_uri=app.redirect_uri,
        base_url=f"{tiktok_simulator.url}/open_api",
        timeout=10,
    )
    yield api
    api.session.close()


def test_client_exchanges_and_reads_the_account(
    account_api: Any, tiktok_simulator: Simulator
) -> None:
    """The client exchanges a code and reads the profile with the token that it got."""
    code = tiktok_simulator.authorize("accounts", subject="somebody")
    token = account_api.generate_access_token(code)
    assert (token.open_id, token.token_type, token.expires_in) == ("somebody", "Bearer", 86400)
    assert token.refresh_token_expires_in == 31536000
    account = account_api.get_account_data("somebody", fields=["username", "followers_count"])
    assert account.data.username == "usermebody"


def test_client_refreshes(account_api: Any, tiktok_simulator: Simulator) -> None:
    """The client gets new tokens, and the year of the consent goes on running."""
    code = tiktok_simulator.authorize("accounts")
    first = account_api.generate_access_token(code)
    tiktok_simulator.advance(8686)
    second = account_api.refresh_access_token(first.refresh_token)
    assert second.refresh_token != first.refresh_token
    assert second.refresh_token_expires_in == pytest.approx(31527314, abs=2)
    assert tiktok_simulator.token_state(first.refresh_token) == "rotated"


def test_client_asks_whose_token_it_is(account_api: Any, tiktok_simulator: Simulator) -> None:
    """The client reads app, creator and scopes of a token."""
    tokens = tiktok_simulator.grant("accounts", scopes=["user.info.basic", "video.list"])
    info = account_api.get_token_info(tokens.access_token)
    assert info.creator_id == tokens.open_id
    assert sorted(info.scope.split(",")) == ["user.info.basic", "video.list"]


def test_client_revokes(account_api: Any, tiktok_simulator: Simulator) -> None:
    """The client revokes a token, after which token and refresh token are dead."""
    tokens = tiktok_simulator.grant("accounts")
    answer = account_api.revoke_access_token(tokens.access_token, return_json=True)
    assert (answer["code"], answer["data"]) == (0, {})
    assert tiktok_simulator.token_state(tokens.access_token) == "revoked"
    assert tiktok_simulator.token_state(str(tokens.refresh_token)) == "revoked"


def test_client_understands_refusals(account_api: Any, tiktok_simulator: Simulator) -> None:
    """The client raises its own error for a used code, a used refresh token and a dead token."""
    code = tiktok_simulator.authorize("accounts")
    first = account_api.generate_access_token(code)
    account_api.refresh_access_token(first.refresh_token)
    with pytest.raises(pytiktok.PyTiktokError, match="40110"):
        account_api.generate_access_token(code)
    with pytest.raises(pytiktok.PyTiktokError, match="40107"):
        account_api.refresh_access_token(first.refresh_token)
    tiktok_simulator.advance(86400)
    with pytest.raises(pytiktok.PyTiktokError, match="40102"):
        account_api.get_token_info(first.access_token)
