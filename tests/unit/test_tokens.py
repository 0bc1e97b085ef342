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


DAY_TOKEN = Token("access", "refresh", issued_at=T0, expires_at=T0 + DAY)
MINUTE_TOKEN = Token("access", issued_at=T0, expires_at=T0 + 60)


@pytest.mark.parametrize(
    ("token", "age", "margin", "state"),
    [
        (DAY_TOKEN, 0, MARGIN, "fresh"),
        (DAY_TOKEN, DAY - MARGIN, MARGIN, "fresh"),
        (DAY_TOKEN, DAY - MARGIN + 1, MARGIN, "stale"),
        (DAY_TOKEN, DAY - 1, MARGIN, "stale"),
        (DAY_TOKEN, DAY, MARGIN, "expired"),
        (DAY_TOKEN, 2 * DAY, MARGIN, "expired"),
        (DAY_TOKEN, DAY - 0.001, 0, "fresh"),
        # The margin is never more than half of the token's own lifetime.
        (MINUTE_TOKEN, 30, MARGIN, "fresh"),
        (MINUTE_TOKEN, 31, MARGIN, "stale"),
        # What TikTok refuses has ended, also without an end of its own.
        (DAY_TOKEN.ended(T0 + 5), 5, MARGIN, "expired"),
        (Token("a", long_term=True).ended(T0), 0, MARGIN, "expired"),
    ],
)
def test_state_by_age(token: Token, age: float, margin: float, state: str) -> None:
    """A token is stale when less than the margin is left, and expired at its end."""
    assert token.state(T0 + age, margin) == state


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


def test_what_an_answer_leaves_out_is_kept() -> None:
    """An answer without a refresh token, or without its end, leaves both where they were."""
    first = token_from_grant(TokenResponse("a", "r", expires_in=DAY, refresh_expires_in=YEAR), T0)
    second = token_from_grant(TokenResponse("b", None, expires_in=DAY), T0 + DAY, first)
    assert second.refresh_token == "r"
    assert second.consent_deadline == second.refresh_expires_at == T0 + YEAR
    assert second.can_refresh(T0 + 2 * DAY)
    assert not second.long_term
    assert token_from_grant(TokenResponse("c", "s"), T0, first).refresh_token == "s"


@pytest.mark.parametrize(
    ("grant", "system", "lifetime"),
    [
        (TokenResponse("a"), True, "long_term"),
        (TokenResponse("a", expires_in=7200), True, "short_term"),
        (TokenResponse("a", "r"), True, "short_term"),
        (TokenResponse("a", unread=("expires_in",)), True, "short_term"),
        (TokenResponse("a"), False, "short_term"),
    ],
)
def test_lifetime(grant: TokenResponse, system: bool, lifetime: str) -> None:
    """Without timer and refresh token it does not expire, where the system has such tokens."""
    token = token_from_grant(grant, T0, long_term=system)
    assert token.lifetime == lifetime
    assert token.refreshable == (grant.refresh_token is not None)
    assert token.consent_deadline is None


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
    assert token.ended(T0).can_refresh(T0) is can


def test_secrets_are_not_shown() -> None:
    """Neither a token's nor a grant's repr shows its secrets."""
    shown = repr(Token("canary-a", "canary-r")) + repr(TokenResponse("canary-a", "canary-r"))
    assert "canary" not in shown
