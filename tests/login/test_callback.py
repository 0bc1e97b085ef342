"""What comes back from the consent page."""

from __future__ import annotations

from urllib.parse import quote, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tap_tiktok_auth.errors import AuthorizationRequired, ConfigurationError, TryAgainLater
from tap_tiktok_auth.login.callback import (
    Callback,
    NotTheCallbackError,
    denial,
    read_address,
    read_query,
)

HERE = "http://localhost:8917/callback/"
CODE = "aw%2A*3!4964"


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_the_code_is_decoded_exactly_once(code: str) -> None:
    """Whatever a code is made of, percent signs too, it arrives as TikTok meant it."""
    callback = read_query(f"auth_code={quote(code, safe='')}&state=s")
    assert callback.code_named("auth_code") == code


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
    callback = read_query(urlencode({"code": code, "state": "s"}))
    with pytest.raises(AuthorizationRequired, match="damaged"):
        callback.code_named("code")


@pytest.mark.parametrize("query", ["state=a&state=b&code=c", "code=a&code=b&state=s", "a=&" * 60])
def test_doubled_parameters_are_refused(query: str) -> None:
    """An address in which someone put a second state or code is not the callback."""
    with pytest.raises(NotTheCallbackError):
        read_query(query)


def test_only_the_very_state_belongs() -> None:
    """Nothing but the login's own state is accepted, whatever its length or script."""
    assert Callback(state="abc").belongs_to("abc")
    assert not any(Callback(state=s).belongs_to("abc") for s in (None, "", "ab", "abcd", "äbc"))


def test_secrets_are_not_shown() -> None:
    """The repr of a callback has neither code nor state."""
    shown = repr(Callback("the-state", "the-auth-code", "the-code", None, "the-text"))
    assert "the-" not in shown


@pytest.mark.parametrize(
    "pasted",
    [
        f"{HERE}?code=c&state=s",
        f"  {HERE}?code=c&state=s \n",
        f"'{HERE}?code=c&state=s'",
        f'"{HERE}?code=c&state=s"',
        f"<{HERE}?code=c&state=s>",
        f"{HERE}?code=c&state=s#_",
        "HTTP://LOCALHOST:8917/elsewhere?state=s&code=c",
        "https://localhost:8917/?state=s&code=c",
    ],
)
def test_a_pasted_address_may_be_wrapped(pasted: str) -> None:
    """Blanks, quotes and brackets around an address do no harm."""
    assert read_address(pasted, HERE) == Callback(state="s", code="c")


@pytest.mark.parametrize(
    ("pasted", "advice"),
    [
        (CODE, "whole address"),
        ("localhost:8917/callback/?code=c&state=s", "from http on"),
        ("https://business-api.tiktok.com/portal/auth?app_id=1&state=s", "consent page itself"),
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
        (f"{HERE}?code=c&code=d&state=s", "twice"),
        ("http://[x/?code=c", "damaged"),
        ("http://localhost:99999/?code=c", "damaged"),
    ],
)
def test_a_wrong_paste_is_told_what_is_wrong(pasted: str, advice: str) -> None:
    """Each way to paste the wrong thing has its own advice, which does not repeat the paste."""
    with pytest.raises(NotTheCallbackError) as problem:
        read_address(pasted, HERE)
    assert advice in str(problem.value)
    assert CODE not in str(problem.value)


@pytest.mark.parametrize(
    ("error", "kind", "word"),
    [
        ("access_denied", AuthorizationRequired, "nothing has changed"),
        ("invalid_scope", ConfigurationError, "scopes"),
        ("unauthorized_client", ConfigurationError, "app"),
        ("server_error", TryAgainLater, "failed"),
        ("temporarily_unavailable", TryAgainLater, "not available"),
        ("something_new", AuthorizationRequired, "something_new"),
        ("<script>", AuthorizationRequired, "ended with an error"),
    ],
)
def test_each_refusal_says_what_to_do(error: str, kind: type[Exception], word: str) -> None:
    """TikTok's errors become ours by what the person does next."""
    refused = denial(read_query(urlencode({"error": error, "state": "s"})))
    assert isinstance(refused, kind)
    assert word in str(refused)
    assert "<script>" not in str(refused)


def test_foreign_texts_are_cleaned() -> None:
    """What TikTok says about an error cannot play tricks with a terminal."""
    query = urlencode({"error": "odd", "error_description": "no\x1b[2J\r\nway" * 99, "state": "s"})
    shown = str(denial(read_query(query)))
    assert shown.isprintable()
    assert len(shown) < 350


@pytest.mark.parametrize(
    ("uri", "pasted"),
    [
        ("http://localhost:80/cb", "http://localhost/cb?code=c&state=s"),
        ("https://example.com/cb", "https://example.com:443/cb?code=c&state=s"),
    ],
)
def test_browsers_leave_a_schemes_own_port_out(uri: str, pasted: str) -> None:
    """The same address with and without the port that its scheme has anyway is the same."""
    assert read_address(pasted, uri).code == "c"


@pytest.mark.parametrize("error", ["access_denied", "user_not_eligible"])
def test_a_refusal_of_tiktoks_says_what_may_help(error: str) -> None:
    """To log in again cannot help who may not authorise: TikTok's words and the roles are told."""
    query = urlencode({"error": error, "error_description": "The user is not eligible."})
    shown = str(denial(read_query(query)).of("acme"))
    assert "The user is not eligible" in shown
    assert "may" in shown
    assert "authorise" in shown
    assert "tiktok-auth login acme" in shown
