"""Tokens: when they are fresh, and what a new answer changes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_tiktok_auth.apis.base import TokenResponse
from tap_tiktok_auth.credentials.tokens import (
    DEADLINE_TOLERANCE,
    Token,
    token_from_grant,
)

#: A busy machine is no failure.
UNHURRIED = settings(deadline=None)
DAY = 86_400.0
YEAR = 365 * DAY
T0 = 1_700_000_000.0
MARGIN = 1800.0

TIMES = st.floats(min_value=0, max_value=4e9)
SECONDS = st.floats(min_value=0, max_value=1e9)


def _day_token() -> Token:
    return Token("access", "refresh", issued_at=T0, expires_at=T0 + DAY)


@pytest.mark.parametrize(
    ("age", "state"),
    [
        (0, "fresh"),
        (DAY - MARGIN, "fresh"),
        (DAY - MARGIN + 1, "stale"),
        (DAY - 1, "stale"),
        (DAY, "expired"),
        (2 * DAY, "expired"),
    ],
)
def test_state_by_age(age: float, state: str) -> None:
    """A token is stale when less than the margin is left, and expired at its end."""
    assert _day_token().state(T0 + age, MARGIN) == state


@pytest.mark.parametrize(("age", "state"), [(29, "fresh"), (30, "fresh"), (31, "stale")])
def test_margin_is_at_most_half_of_the_lifetime(age: float, state: str) -> None:
    """A token of one minute is fresh for half a minute, although the margin is half an hour."""
    token = Token("access", issued_at=T0, expires_at=T0 + 60)
    assert token.state(T0 + age, MARGIN) == state


def test_no_margin_means_no_staleness() -> None:
    """With a margin of 0 a token is used up to its end."""
    assert _day_token().state(T0 + DAY - 0.001, 0) == "fresh"


@UNHURRIED
@given(TIMES)
def test_token_without_a_timer_is_always_fresh(now: float) -> None:
    """A token without an end is fresh at any time."""
    assert Token("access", long_term=True).state(now, MARGIN) == "fresh"


@UNHURRIED
@given(issued=TIMES, life=SECONDS, now=TIMES, margin=SECONDS)
def test_token_in_its_first_half_is_fresh(
    issued: float, life: float, now: float, margin: float
) -> None:
    """No margin, however large, makes a token stale while more than half of its life is left."""
    token = Token("access", issued_at=issued, expires_at=issued + life)
    left = issued + life - now
    if left > (issued + life - issued) / 2 and left > 0:
        assert token.state(now, margin) == "fresh"


@UNHURRIED
@given(issued=TIMES, life=SECONDS, margin=SECONDS, first=TIMES, second=TIMES)
def test_state_only_worsens_with_time(
    issued: float, life: float, margin: float, first: float, second: float
) -> None:
    """A token that is stale does not become fresh by waiting."""
    token = Token("access", issued_at=issued, expires_at=issued + life)
    order = ("fresh", "stale", "expired")
    early, late = sorted((first, second))
    assert order.index(token.state(early, margin)) <= order.index(token.state(late, margin))


def test_times_count_from_the_request() -> None:
    """Lifetimes are added to the moment of the request."""
    token = token_from_grant(TokenResponse("a", "r", expires_in=DAY, refresh_expires_in=YEAR), T0)
    assert token == Token(
        "a",
        "r",
        issued_at=T0,
        expires_at=T0 + DAY,
        refresh_expires_at=T0 + YEAR,
        consent_deadline=T0 + YEAR,
    )


def test_deadline_does_not_move_by_a_refresh() -> None:
    """The year counts from the consent: a refresh that tells the rest of it moves nothing."""
    # A refresh 8,686 seconds after the consent, as real answers of the Accounts API show it.
    first = token_from_grant(TokenResponse("a", "r", expires_in=DAY, refresh_expires_in=YEAR), T0)
    answer = TokenResponse("b", "s", expires_in=DAY, refresh_expires_in=31_527_314)
    second = token_from_grant(answer, T0 + 8_686, first)
    assert second.consent_deadline == first.consent_deadline
    assert second.refresh_token == "s"
    assert second.expires_at == T0 + 8_686 + DAY


@pytest.mark.parametrize(
    ("drift", "moved"),
    [
        (-DEADLINE_TOLERANCE - 1, True),
        (-DEADLINE_TOLERANCE, False),
        (2, False),
        (DEADLINE_TOLERANCE, False),
        (DEADLINE_TOLERANCE + 1, True),
    ],
)
def test_deadline_moves_only_beyond_the_tolerance(drift: float, moved: bool) -> None:
    """A small difference is travel time; a larger one is TikTok's new word."""
    first = token_from_grant(TokenResponse("a", "r", refresh_expires_in=YEAR), T0)
    answer = TokenResponse("b", "s", refresh_expires_in=YEAR - DAY + drift)
    second = token_from_grant(answer, T0 + DAY, first)
    assert second.consent_deadline == T0 + YEAR + (drift if moved else 0)


def test_deadline_that_is_not_told_again_is_kept() -> None:
    """An answer that is silent about the refresh token's end leaves it where it was."""
    first = token_from_grant(TokenResponse("a", "r", refresh_expires_in=YEAR), T0)
    second = token_from_grant(TokenResponse("b", "s", expires_in=DAY), T0 + DAY, first)
    assert second.consent_deadline == T0 + YEAR
    assert second.refresh_expires_at == T0 + YEAR


def test_refresh_token_is_kept_when_none_comes() -> None:
    """A refresh answer without a refresh token keeps the old one, and the chain refreshable."""
    first = token_from_grant(TokenResponse("a", "r", expires_in=DAY, refresh_expires_in=YEAR), T0)
    second = token_from_grant(TokenResponse("b", None, expires_in=DAY), T0 + DAY, first)
    assert second.refresh_token == "r"
    assert second.can_refresh(T0 + 2 * DAY)
    assert not second.long_term


def test_new_refresh_token_replaces_the_old_one() -> None:
    """A rotated refresh token is taken over."""
    first = token_from_grant(TokenResponse("a", "r"), T0)
    assert token_from_grant(TokenResponse("b", "s"), T0, first).refresh_token == "s"


def test_long_term_token() -> None:
    """Where the token system has them, a token with neither timer nor refresh is long-term."""
    token = token_from_grant(TokenResponse("a"), T0, long_term=True)
    assert token.long_term
    assert token.lifetime == "long_term"
    assert not token.refreshable
    assert token.consent_deadline is None


@pytest.mark.parametrize("grant", [TokenResponse("a", expires_in=7200), TokenResponse("a", "r")])
def test_short_term_token(grant: TokenResponse) -> None:
    """A timer or a refresh token makes a token short-term, even where long-term ones exist."""
    assert token_from_grant(grant, T0, long_term=True).lifetime == "short_term"


def test_missing_lifetime_does_not_make_a_token_long_term() -> None:
    """Where the token system has no long-term tokens, an untold end is just unknown."""
    token = token_from_grant(TokenResponse("a"), T0)
    assert token.lifetime == "short_term"
    assert token.expires_at is None


def test_deadline_needs_a_refresh_token() -> None:
    """Without a refresh token there is nothing whose end could be told."""
    token = token_from_grant(TokenResponse("a", expires_in=DAY, refresh_expires_in=YEAR), T0)
    assert token.consent_deadline is None
    assert token.refresh_expires_at is None


@pytest.mark.parametrize(
    ("token", "can"),
    [
        (Token("a"), False),
        (Token("a", "r"), True),
        (Token("a", "r", refresh_expires_at=T0 + 1), True),
        (Token("a", "r", refresh_expires_at=T0), False),
    ],
)
def test_can_refresh(token: Token, can: bool) -> None:
    """A refresh needs a refresh token that, as far as is known, has not ended."""
    assert token.can_refresh(T0) is can


def test_refused_token_counts_as_ended() -> None:
    """A token that TikTok refuses is expired from then on, and keeps its means of renewal."""
    ended = _day_token().ended(T0 + 5)
    assert ended.state(T0 + 5, MARGIN) == "expired"
    assert ended.refresh_token == "refresh"


def test_refused_long_term_token_counts_as_ended() -> None:
    """The same holds for a token without a timer."""
    assert Token("a", long_term=True).ended(T0).state(T0, MARGIN) == "expired"


def test_secrets_are_not_shown() -> None:
    """Neither a token's nor a grant's repr shows its secrets."""
    shown = repr(Token("canary-a", "canary-r")) + repr(TokenResponse("canary-a", "canary-r"))
    assert "canary" not in shown
