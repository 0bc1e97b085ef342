"""What settings and store tell about a login before it begins."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet

from tap_tiktok_auth.config.models import App
from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.credentials.models import StoredConnection
from tap_tiktok_auth.credentials.session import new_manager
from tap_tiktok_auth.credentials.tokens import Token
from tap_tiktok_auth.errors import AuthorizationRequired, ConfigurationError
from tap_tiktok_auth.login.address import CallbackAddress
from tap_tiktok_auth.login.attempt import LIFETIME, begin, challenge_of, new_verifier, take
from tap_tiktok_auth.login.callback import Callback
from tap_tiktok_auth.login.plan import Plan, plan_login
from tap_tiktok_auth.store import Store, open_store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tap_tiktok_auth.credentials.manager import TokenManager

SETTINGS = {"app_id": "7001", "app_secret": "top-secret"}
STORED = StoredConnection(
    "acme",
    "accounts",
    "stored",
    generation=1,
    token=Token("token"),
    app_secret="stored-secret",
    redirect_uri="https://stored.example/",
    scopes=("user.info.basic", "video.list"),
)


class Clock:
    """A clock that is set by hand."""

    now = 1_790_000_000.0

    def __call__(self) -> float:
        """Return its time."""
        return self.now


@pytest.fixture(name="clock")
def _clock() -> Clock:
    return Clock()


@pytest.fixture(name="store")
def _store(tmp_path: Path, clock: Clock) -> Iterator[Store]:
    key = Fernet.generate_key().decode()
    store = open_store(f"sqlite:///{tmp_path / 'tokens.db'}", key, clock=clock)
    yield store
    store.close()


@pytest.fixture(name="manager_of")
def _broker_of(store: Store) -> Callable[[dict[str, Any]], TokenManager]:
    return lambda settings: new_manager(parse(settings), store)


def test_the_top_level_lends_its_app(manager_of: Callable[[dict[str, Any]], TokenManager]) -> None:
    """A name that nobody knows yet logs in with the top level's app and token system."""
    plan = plan_login(manager_of({**SETTINGS, "api": "creator_marketplace"}), "new", None, ())
    assert plan == Plan("new", "creator_marketplace", App("7001", "top-secret"))


def test_a_connections_own_settings_come_first(
    manager_of: Callable[[dict[str, Any]], TokenManager], store: Store
) -> None:
    """The entry of that name beats the top level and what is stored."""
    store.commit(STORED, None)
    own = {"name": "acme", "api": "accounts", "app_id": "7002", "app_secret": "own-secret"}
    plan = plan_login(manager_of({**SETTINGS, "connections": [own]}), "acme", None, ())
    assert (plan.api, plan.app) == ("accounts", App("7002", "own-secret"))


def test_a_stored_connection_logs_in_as_before(
    manager_of: Callable[[dict[str, Any]], TokenManager], store: Store
) -> None:
    """Without any setting the stored app, address and scopes serve once more."""
    store.commit(STORED, None)
    plan = plan_login(manager_of({}), "acme", None, ())
    assert plan == Plan(
        "acme",
        "accounts",
        App("stored", "stored-secret"),
        "https://stored.example/",
        ("user.info.basic", "video.list"),
    )
    assert plan_login(manager_of({}), "acme", None, ("user.info.stats",)).scopes == (
        "user.info.stats",
    )


@pytest.mark.parametrize(("top", "wanted"), [("marketing", "login_kit"), ("login_kit", "accounts")])
def test_apps_of_one_platform_are_not_lent_to_the_other(
    manager_of: Callable[[dict[str, Any]], TokenManager], top: str, wanted: str
) -> None:
    """A Business app is unknown to Login Kit, and the other way round: it is asked for."""
    settings = {**SETTINGS, "api": top, "redirect_uri": "https://example.com/"}
    plan = plan_login(manager_of(settings), "new", wanted, ())
    assert (plan.app, plan.redirect_uri) == (None, None)


@pytest.mark.parametrize(
    ("settings", "api", "words"),
    [
        ({}, "marketing", "is of api accounts already"),
        ({"connections": [{"name": "acme", "api": "creator"}]}, "accounts", "is of api creator"),
        (
            {
                "api": "login_kit",
                "connections": [{"name": "acme", "grant_type": "client_credentials"}],
            },
            None,
            "tokens of the app itself",
        ),
    ],
)
def test_contradictions_are_refused(
    manager_of: Callable[[dict[str, Any]], TokenManager],
    store: Store,
    settings: dict[str, Any],
    api: str | None,
    words: str,
) -> None:
    """A login never turns a connection into one of another kind."""
    store.commit(STORED, None)
    with pytest.raises(ConfigurationError, match=words):
        plan_login(manager_of({**SETTINGS, **settings}), "acme", api, ())


def test_a_connection_without_a_token_may_become_another(
    manager_of: Callable[[dict[str, Any]], TokenManager], store: Store
) -> None:
    """What was revoked or never worked stands in nobody's way."""
    store.commit(replace(STORED, token=None, status="revoked"), None)
    assert plan_login(manager_of(SETTINGS), "acme", "marketing", ()).api == "marketing"


@pytest.mark.parametrize(
    ("api", "scope"),
    [("marketing", "user.info.basic"), ("accounts", "4"), ("login_kit", "a&b=c"), ("accounts", "")],
)
def test_foreign_scopes_are_refused(
    manager_of: Callable[[dict[str, Any]], TokenManager], api: str, scope: str
) -> None:
    """Scopes are numbers for advertisers and names for account holders."""
    with pytest.raises(ConfigurationError, match=f"not one of api {api}"):
        plan_login(manager_of({}), "new", api, (scope,))


def test_a_state_works_once_and_not_for_long(
    manager_of: Callable[[dict[str, Any]], TokenManager], clock: Clock
) -> None:
    """The second callback of a login finds nothing, and neither does one after ten minutes."""
    manager = manager_of({})
    plan = Plan("acme", "login_kit", App("key", "secret"))
    address = CallbackAddress("http://127.0.0.1:8917/callback/", 8917)
    first, second = begin(manager, plan, address), begin(manager, plan, address)
    assert first.state != second.state
    clock.now += LIFETIME - 1
    connection = take(manager, Callback(state=first.state, code="c"))
    assert connection.seed is not None
    assert connection.seed.auth_code == "c"
    assert connection.seed.code_verifier is not None
    assert challenge_of(connection.seed.code_verifier) in first.url
    with pytest.raises(AuthorizationRequired, match="no login waits"):
        take(manager, Callback(state=first.state, code="c"))
    clock.now += 2
    with pytest.raises(AuthorizationRequired, match="no login waits"):
        take(manager, Callback(state=second.state, code="c"))


def test_a_denied_login_is_over(manager_of: Callable[[dict[str, Any]], TokenManager]) -> None:
    """After a no, the same state does not work for a yes."""
    manager = manager_of({})
    plan = Plan("acme", "marketing", App("id", "secret"))
    begun = begin(manager, plan, CallbackAddress("https://example.com/", None))
    with pytest.raises(AuthorizationRequired, match="denied") as refused:
        take(manager, Callback(state=begun.state, error="access_denied"))
    assert refused.value.connection == "acme"
    with pytest.raises(AuthorizationRequired, match="no login waits"):
        take(manager, Callback(state=begun.state, code="c"))


def test_verifiers_are_as_tiktok_wants_them() -> None:
    """43 to 128 unreserved characters; the challenge is SHA-256 in hex, as in TikTok's docs."""
    verifier = new_verifier()
    assert 43 <= len(verifier) <= 128
    assert set(verifier) <= set(
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
    )
    assert challenge_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_nothing_secret_is_shown(manager_of: Callable[[dict[str, Any]], TokenManager]) -> None:
    """Neither a plan nor a begun login shows secret or state when it is printed."""
    plan = Plan("acme", "marketing", App("id", "the-secret"))
    begun = begin(manager_of({}), plan, CallbackAddress("https://example.com/", None))
    assert begun.state not in repr(begun)
    assert "the-secret" not in repr(plan) + repr(begun)
