"""Tokens that are piped in."""

from __future__ import annotations

import pytest

from tap_tiktok_auth.errors import ConfigurationError
from tap_tiktok_auth.login.given import read_tokens, seed_of

BOTH = {"access_token": "act.one", "refresh_token": "rft.two"}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ('{"access_token": "act.one", "refresh_token": "rft.two", "expires_in": 5}', BOTH),
        ('{"code": 0, "data": {"access_token": "act.one", "refresh_token": "rft.two"}}', BOTH),
        ('{"access_token": "act.one", "refresh_token": ""}', {"access_token": "act.one"}),
        ("act.one", {"access_token": "act.one"}),
        ("act.one\nrft.two\n", BOTH),
        ("\r\nact.one\r\n\r\nrft.two\r\n", BOTH),
        ("access_token=act.one\nrefresh_token='rft.two'", BOTH),
        ("refresh_token = rft.two", {"refresh_token": "rft.two"}),
        ("a=b==", {"access_token": "a=b=="}),
    ],
)
def test_documented_forms_are_understood(text: str, tokens: dict[str, str]) -> None:
    """JSON, TikTok's own answer, named lines and bare lines give the same tokens."""
    assert read_tokens(text) == tokens


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        "{}",
        '{"access_token": "SECRET',
        '{"access_token": 17}',
        '{"access_token": ["SECRET"]}',
        '{"data": {"token": "SECRET"}}',
        "SECRET one",
        "SECRET1\nSECRET2\nSECRET3",
        "access_token=SECRET\nSECRET",
        "access_token=SECRET\naccess_token=SECRET2",
        "SECR\x07ET",
        "SECRÉT",
        "SECRET" * 20_000,
    ],
)
def test_anything_else_is_refused_without_repeating_it(text: str) -> None:
    """A message about tokens that cannot be read never has a piece of them."""
    with pytest.raises(ConfigurationError) as refused:
        read_tokens(text)
    assert "SECR" not in str(refused.value)


@pytest.mark.parametrize(
    ("tokens", "kind"),
    [
        ({"access_token": "a"}, "access_token"),
        ({"refresh_token": "r"}, "refresh_token"),
        ({"access_token": "a", "refresh_token": "r"}, "access_and_refresh_token"),
    ],
)
def test_the_seed_has_what_was_given(tokens: dict[str, str], kind: str) -> None:
    """The kind of the seed follows from which tokens there are."""
    seed = seed_of("accounts", tokens)
    assert (seed.kind, seed.access_token, seed.refresh_token) == (
        kind,
        tokens.get("access_token"),
        tokens.get("refresh_token"),
    )


def test_tokens_that_are_never_refreshed_have_no_refresh_token() -> None:
    """A refresh token for the Creator Marketplace is a mistake, and told."""
    with pytest.raises(ConfigurationError, match="not refreshed"):
        seed_of("creator_marketplace", {"access_token": "a", "refresh_token": "r"})
