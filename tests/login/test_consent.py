"""The authorization request, the response that comes back, and the pending login between them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_tiktok_auth.config.models import App, Connection
from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.credentials.manager import TokenManager
from tap_tiktok_auth.errors import AuthorizationRequired, ConfigurationError, TryAgainLater
from tap_tiktok_auth.login.consent import (
    LIFETIME,
    AuthorizationRequest,
    AuthorizationResponse,
    NotTheCallbackError,
    accept_response,
    begin_login,
    challenge_of,
    denial,
    new_verifier,
    read_address,
    read_query,
)

if TYPE_CHECKING:
    from tap_tiktok_auth.store import Store
    from tests.login.conftest import Clock

HERE = "http://localhost:8917/callback/"
CODE = "aw%2A*3!4964"
APP = App("the-id", "the-secret")


def request_to(redirect_uri: str) -> AuthorizationRequest:
    """Return a request with the state s."""
    return AuthorizationRequest("acme", "https://tiktok.example/", "s", redirect_uri)


@pytest.fixture(name="manager")
def _manager(store: Store) -> TokenManager:
    return TokenManager(parse({}), store)


def test_a_state_works_once_and_not_for_long(manager: TokenManager, clock: Clock) -> None:
    """The second callback of a login finds nothing, and neither does one after ten minutes."""
    connection = Connection("acme", "login_kit", APP)
    first, second = (begin_login(manager, connection, "http://127.0.0.1:8917/") for _ in range(2))
    assert first.state != second.state
    clock.now += LIFETIME - 1
    started = accept_response(manager, AuthorizationResponse(first.state, code="c"))
    seed = started.seed
    assert seed is not None
    assert (started.app, started.redirect_uri) == (APP, "http://127.0.0.1:8917/")
    assert (seed.auth_code, seed.code_verifier is None) == ("c", False)
    assert challenge_of(seed.code_verifier or "") in first.url
    clock.now += 2
    for used in (first, second):
        with pytest.raises(AuthorizationRequired, match="no login waits for that address here"):
            accept_response(manager, AuthorizationResponse(used.state, code="c"))


def test_ad_accounts_of_the_config_are_those_of_the_login(store: Store) -> None:
    """Where the config names ad accounts, because TikTok tells none, a login keeps to them."""
    entry = {"name": "acme", "auth_code": "c", "advertiser_ids": ["7"]}
    top = {"app_id": "1", "app_secret": "s", "connections": [entry]}
    manager = TokenManager(parse(top), store)
    request = begin_login(manager, Connection("acme", "marketing", APP), "https://example.com/")
    started = accept_response(manager, AuthorizationResponse(request.state, "c"))
    assert started.advertiser_ids == ("7",)


def test_a_denied_login_is_over(manager: TokenManager) -> None:
    """After a no, the same state does not work for a yes."""
    request = begin_login(manager, Connection("acme", "marketing", APP), "https://example.com/")
    with pytest.raises(AuthorizationRequired, match="denied") as refused:
        accept_response(manager, AuthorizationResponse(request.state, error="access_denied"))
    assert refused.value.connection == "acme"
    with pytest.raises(AuthorizationRequired, match="no login waits"):
        accept_response(manager, AuthorizationResponse(request.state, code="c"))


@pytest.mark.parametrize(
    ("api", "uri", "has_challenge"),
    [
        ("login_kit", "http://localhost:1/", True),
        ("login_kit", "https://example.com/", False),
        ("marketing", "http://localhost:1/", False),
    ],
)
def test_pkce_is_for_login_kits_desktop_apps(
    manager: TokenManager, api: str, uri: str, *, has_challenge: bool
) -> None:
    """TikTok knows the challenge for a loopback address of Login Kit alone."""
    request = begin_login(manager, Connection("acme", api, APP), uri)
    query = parse_qs(urlsplit(request.url).query)
    assert ("code_challenge" in query, query["redirect_uri"]) == (has_challenge, [uri])


def test_verifiers_are_as_tiktok_wants_them() -> None:
    """43 to 128 unreserved characters; the challenge is SHA-256 in hex, as in TikTok's docs."""
    verifier = new_verifier()
    assert 43 <= len(verifier) <= 128
    assert verifier.replace("-", "").replace("_", "").isalnum()
    assert challenge_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


def test_nothing_secret_is_shown(manager: TokenManager) -> None:
    """The repr of request and response has neither secret, state nor code."""
    request = begin_login(manager, Connection("acme", "marketing", APP), "https://example.com/")
    assert request.state not in repr(request)
    assert "the-secret" not in repr(request)
    response = AuthorizationResponse("the-state", "the-auth-code", "the-code", None, "the-text")
    assert "the-" not in repr(response)


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_the_code_is_decoded_exactly_once(code: str) -> None:
    """Whatever a code is made of, percent signs too, it arrives as TikTok meant it."""
    response = read_query(f"auth_code={quote(code, safe='')}&state=s")
    assert response.code_named("auth_code") == code


@pytest.mark.parametrize(
    ("query", "parameter", "code"),
    [
        ("auth_code=a&code=b&state=s", "auth_code", "a"),
        ("code=b&state=s", "auth_code", "b"),
        ("auth_code=a&code=b&state=s", "code", "b"),
        ("auth_code=a&state=s", "code", "a"),
        ("auth_code=&code=b&state=s", "auth_code", "b"),
    ],
)
def test_the_code_is_found_under_either_name(query: str, parameter: str, code: str) -> None:
    """The token system's own name comes first, the other one serves too."""
    assert read_query(query).code_named(parameter) == code


@pytest.mark.parametrize("code", ["", "a b", "a\nb", "é", "x" * 3000])
def test_a_code_that_cannot_be_one_is_not_sent(code: str) -> None:
    """Blanks, control characters and the like are refused before TikTok sees them."""
    response = read_query(urlencode({"code": code, "state": "s"}))
    with pytest.raises(AuthorizationRequired, match="damaged"):
        response.code_named("code")


@pytest.mark.parametrize("query", ["state=a&state=b&code=c", "code=a&code=b&state=s", "a=&" * 60])
def test_doubled_parameters_are_refused(query: str) -> None:
    """An address in which someone put a second state or code is not the callback."""
    with pytest.raises(NotTheCallbackError):
        read_query(query)


def test_only_the_very_state_belongs() -> None:
    """Nothing but the login's own state is accepted, whatever its length or script."""
    wrong = (None, "", "ab", "abcd", "äbc", "\udc80")
    assert AuthorizationResponse("abc").belongs_to("abc")
    assert not any(AuthorizationResponse(state).belongs_to("abc") for state in wrong)


@pytest.mark.parametrize(
    ("pasted", "uri"),
    [
        (f"  {HERE}?code=c&state=s \n", HERE),
        (f"'{HERE}?code=c&state=s'", HERE),
        (f'"{HERE}?code=c&state=s"', HERE),
        (f"<{HERE}?code=c&state=s>", HERE),
        (f"{HERE}?code=c&state=s#_", HERE),
        ("HTTP://LOCALHOST:8917/elsewhere?state=s&code=c", HERE),
        ("https://localhost:8917/?state=s&code=c", HERE),
        ("http://localhost/cb?code=c&state=s", "http://localhost:80/cb"),
        ("https://example.com:443/cb?code=c&state=s", "https://example.com/cb"),
    ],
)
def test_a_pasted_address_may_be_wrapped(pasted: str, uri: str) -> None:
    """Blanks, quotes and brackets around it, or a port that its scheme has anyway, do no harm."""
    assert read_address(pasted, request_to(uri)) == AuthorizationResponse(state="s", code="c")


@pytest.mark.parametrize(
    ("pasted", "advice"),
    [
        (CODE, "whole address"),
        ("localhost:8917/callback/?code=c&state=s", "from http on"),
        (
            f"https://business-api.tiktok.com/portal/auth?app_id=1&state={'s' * 43}",
            "consent page itself. Allow",
        ),
        ("https://www.tiktok.com/v2/auth/authorize/?state=s", "consent page itself"),
        ("https://example.com/?code=c&state=s", f"begins with {HERE}"),
        ("http://localhost:1/callback/?code=c&state=s", f"begins with {HERE}"),
        ("https://business-api.tiktok.com/portal/auth?app_id=1&state=your_custom_params", "portal"),
        ("https://www.tiktok.com/v2/auth/authorize?client_key=1&scope=a,b", "--scope"),
        ("https://ads.tiktok.com/marketing_api/auth?app_id=1&rid=x", "portal"),
        (f"{HERE}?code=c", "no state"),
        (f"{HERE}?code=c", "portal"),
        (f"{HERE}?state=s", "no code"),
        (HERE, "no code"),
        (f"{HERE}?code=c&state=x", "another login, an older one perhaps"),
        (f"{HERE}?error=access_denied&state=x", "another login, an older one perhaps"),
        (f"{HERE}?code=c&code=d&state=s", "twice"),
        ("http://[x/?code=c", "damaged"),
        ("http://localhost:99999/?code=c", "damaged"),
    ],
)
def test_a_wrong_paste_is_told_what_is_wrong(pasted: str, advice: str) -> None:
    """Each way to paste the wrong thing has its own advice, which does not repeat the paste."""
    with pytest.raises(NotTheCallbackError) as problem:
        read_address(pasted, request_to(HERE))
    assert advice in str(problem.value)
    assert CODE not in str(problem.value)


def test_a_damaged_address_is_told_where_the_callback_is_not_known() -> None:
    """Also a login that was begun elsewhere says what is wrong with an address."""
    with pytest.raises(NotTheCallbackError, match="damaged"):
        read_address("http://localhost:99999/?code=c&state=s")


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        ("access_denied", AuthorizationRequired, "nothing has changed"),
        ("access_denied", AuthorizationRequired, "may not authorise this app"),
        ("invalid_scope", ConfigurationError, "scopes"),
        ("unauthorized_client", ConfigurationError, "app"),
        ("server_error", TryAgainLater, "failed"),
        ("temporarily_unavailable", TryAgainLater, "not available"),
        ("user_not_eligible", AuthorizationRequired, "an account that may authorise the app"),
        ("something_new", AuthorizationRequired, "something_new"),
        ("<script>", AuthorizationRequired, "ended with an error"),
    ],
)
def test_each_refusal_says_what_to_do(error: str, kind: type[Exception], words: str) -> None:
    """TikTok's errors become ours by what the person does next, with TikTok's own words."""
    query = urlencode({"error": error, "error_description": "The user is not eligible."})
    refused = denial(read_query(query)).of("acme")
    assert isinstance(refused, kind)
    assert words in str(refused)
    assert "The user is not eligible" in str(refused)
    assert "<script>" not in str(refused)
    assert refused.code == (None if error in {"access_denied", "<script>"} else error)
    if kind is AuthorizationRequired:
        assert "tiktok-auth login acme" in str(refused)


def test_foreign_texts_are_cleaned() -> None:
    """What TikTok says about an error cannot play tricks with a terminal."""
    query = urlencode({"error": "odd", "error_description": "no\x1b[2J\r\nway" * 99, "state": "s"})
    shown = str(denial(read_query(query)))
    assert shown.isprintable()
    assert len(shown) < 350
