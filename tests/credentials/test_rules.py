"""Single rules that the histories reach seldom."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.credentials import lifecycle, transitions
from tap_tiktok_auth.credentials.lifecycle import Wish
from tap_tiktok_auth.credentials.models import StoredConnection, TokenRequestMark
from tap_tiktok_auth.credentials.tokens import Token
from tap_tiktok_auth.errors import (
    AccessTokenRejected,
    AuthorizationRequired,
    ConfigurationError,
    GrantRejected,
    Interrupted,
    NoAnswer,
    PermissionMissing,
    RateLimited,
    RequestRefused,
    StoreUnavailable,
    TikTokAuthError,
    Unreachable,
)
from tap_tiktok_auth.times import as_time

if TYPE_CHECKING:
    from tap_tiktok_auth.credentials.lifecycle import Action

NOW = 1_800_000_000.0
DAY = 86_400.0


def record(**changes: Any) -> StoredConnection:
    """Return a connection with a token that is stale and can be refreshed."""
    token = Token("act", "rft", NOW - DAY + 600, NOW + 600, NOW + 9 * DAY, NOW + 9 * DAY)
    return replace(
        StoredConnection("acme", "accounts", "7001", 1, token, seed_hash="seed", status="active"),
        **changes,
    )


def wish(**changes: Any) -> Wish:
    """Return what a run wants of that connection."""
    plain = Wish(NOW, 1800, seed_kind="auth_code", seed_hash="seed", refresh_attempt="key")
    return replace(plain, **changes)


def test_an_interruption_changes_nothing() -> None:
    """Nothing was sent, so what is known of an earlier attempt stays known."""
    before = record(attempt=TokenRequestMark("key", NOW - 9, "unconfirmed"), status="unconfirmed")
    actions: tuple[Action, ...] = ("refresh", "exchange", "import", "client_token")
    for action in actions:
        after, events = transitions.after_refusal(
            before, Interrupted("told to stop"), NOW, attempt="key", action=action
        )
        assert (after, events) == (before, ())


@pytest.mark.parametrize(
    "error",
    [
        RateLimited("slow"),
        Unreachable("away"),
        ConfigurationError("wrong app"),
        RequestRefused("unknown"),
        PermissionMissing("not allowed"),
        StoreUnavailable("full"),
    ],
)
def test_a_failure_that_needs_no_consent_asks_for_none(error: TikTokAuthError) -> None:
    """Only what a person must mend by authorising is marked so, even if the token has ended."""
    ended = record(token=replace(record().token or Token(""), expires_at=NOW - 1))
    for before in (record(), ended):
        after, events = transitions.after_refusal(
            before, error, NOW, attempt="key", action="refresh"
        )
        assert (after.status, events) == ("refresh_failing", ("refresh_failed",))
        assert after.token == before.token
        assert lifecycle.next_step(after, wish()).action == "refresh"
    new = StoredConnection("acme", "accounts", "")
    after, events = transitions.after_refusal(new, error, NOW, attempt="key", action="exchange")
    assert (after.status, events) == ("pending", ())


@pytest.mark.parametrize("works", [True, False])
def test_a_refused_refresh_token(*, works: bool) -> None:
    """While the token works it is used; after that a person is needed; nothing is sent again."""
    token = replace(record().token or Token(""), expires_at=NOW + 600 if works else NOW - 1)
    error = GrantRejected("refused", code="40107", request_id="r1")
    after, events = transitions.after_refusal(
        record(token=token), error, NOW, attempt="key", action="refresh"
    )
    step = lifecycle.next_step(after, wish())
    assert isinstance(step.error, AuthorizationRequired)
    assert (step.error.code, step.error.request_id) == ("40107", "r1")
    if works:
        assert (after.status, step.action) == ("refresh_failing", "use")
        assert events == ("refresh_failed",)
    else:
        assert (after.status, step.action) == ("reauthorization_required", "stop")
        assert events == ("refresh_failed", "reauthorization_required")
    assert lifecycle.next_step(after, wish(force=True)).action == "refresh"
    assert lifecycle.next_step(after, wish(refresh_attempt="other app")).action == "refresh"


def test_a_lost_answer_is_explained_once_and_only_for_the_same_request() -> None:
    """The explanation belongs to the credential whose answer was lost, and to a refusal of it."""
    unsure, _ = transitions.after_refusal(
        record(), NoAnswer("broke off"), NOW, attempt="key", action="refresh"
    )
    assert unsure.status == "unconfirmed"
    refused = GrantRejected("refused", code="40107", request_id="r1")
    explained = transitions.explain_loss(unsure, refused, "key")
    assert isinstance(explained, GrantRejected)
    assert "got no answer" in explained.cause
    assert (explained.code, explained.request_id) == ("40107", "r1")
    assert transitions.explain_loss(unsure, refused, "another") is refused
    assert transitions.explain_loss(record(), refused, "key") is refused
    limited = RateLimited("slow")
    assert transitions.explain_loss(unsure, limited, "key") is limited


def test_an_end_by_the_clock_is_noted_once() -> None:
    """A consent that is over marks the connection at the first look, not at each."""
    over = record(token=replace(record().token or Token(""), expires_at=NOW - 1))
    error = AuthorizationRequired("the consent ended")
    once, events = transitions.after_stop(over, error, NOW)
    assert (once.status, events) == ("reauthorization_required", ("reauthorization_required",))
    assert transitions.after_stop(once, error, NOW) == (once, ())
    assert transitions.after_stop(over, Interrupted("told to stop"), NOW) == (over, ())
    passing, events = transitions.after_stop(record(), Unreachable("away"), NOW)
    assert (passing.status, events) == ("active", ())
    assert passing.failure is not None


def test_a_rejected_token_is_given_up_only_if_another_can_be_had() -> None:
    """One that nothing can renew is kept, because TikTok may change its mind."""
    error = AccessTokenRejected("refused", code="40105")
    given_up = transitions.after_rejection(record(), error, NOW)
    assert given_up.token is not None
    assert given_up.token.state(NOW, 0) == "expired"
    assert lifecycle.next_step(given_up, wish()).action == "refresh"
    over = record(token=replace(record().token or Token(""), refresh_expires_at=NOW - 1))
    for kept in (over, record(token=Token("act", long_term=True))):
        after = transitions.after_rejection(kept, error, NOW)
        assert (after.token, after.status) == (kept.token, "reauthorization_required")
        step = lifecycle.next_step(after, wish())
        assert (step.action, step.error and step.error.code) == ("stop", "40105")
        assert lifecycle.next_step(after, wish(recheck=True)).action == "use"


def test_confirmation_does_not_hide_a_failing_refresh() -> None:
    """The token works, its renewal does not: both are true."""
    failing, _ = transitions.after_refusal(
        record(), RateLimited("slow"), NOW, attempt="key", action="refresh"
    )
    after = transitions.after_confirmation(failing, NOW)
    assert (after.status, after.failure, after.verified_at) == (
        "refresh_failing",
        failing.failure,
        NOW,
    )


def refused() -> StoredConnection:
    """Return a connection whose refresh token TikTok has refused."""
    error = GrantRejected("TikTok does not accept the refresh token", code="40107", request_id="R1")
    after, _ = transitions.after_refusal(record(), error, NOW, attempt="key", action="refresh")
    return after


@pytest.mark.parametrize("works", [True, False])
def test_a_refusal_is_the_word_that_lasts(*, works: bool) -> None:
    """What fails later for a passing reason neither hides TikTok's refusal nor lends it its id."""
    before = refused()
    assert before.token is not None
    if not works:
        before = replace(before, token=before.token.ended(NOW - 1))
    busy = RateLimited("TikTok restricts requests", code="40100", request_id="R2")
    after, _ = transitions.after_refusal(before, busy, NOW, attempt="key", action="refresh")
    after, _ = transitions.after_stop(after, busy, NOW)
    error = lifecycle.next_step(after, wish()).error
    assert error is not None
    assert (error.cause, error.code, error.request_id) == (
        "TikTok does not accept the refresh token",
        "40107",
        "R1",
    )


def test_an_error_without_an_id_has_no_other_calls_id() -> None:
    """The id of an earlier call is not told with a failure that was none of TikTok's."""
    before = record(request_id="R0")
    after, _ = transitions.after_stop(before, Unreachable("no connection"), NOW)
    assert (after.failure is not None, after.request_id) == (True, None)


def test_a_refused_seed_does_not_explain_the_end_of_the_chain_before_it() -> None:
    """A chain that ends later is told by its own cause, not by that of a new code that failed."""
    token = Token("act", None, NOW - DAY, NOW - 1)
    before = record(token=replace(token, expires_at=NOW + 9), refresh_count=0)
    error = GrantRejected("TikTok does not accept the auth code", code="40110")
    after, _ = transitions.after_refusal(before, error, NOW, attempt="new", action="exchange")
    ended = replace(after, token=token)
    told = lifecycle.next_step(ended, wish()).error
    assert told is not None
    assert "auth code" not in told.cause


@pytest.mark.parametrize(
    ("left", "days", "words"),
    [
        # It is 08:00 in UTC.
        (30 * DAY, 30, None),
        (30 * DAY - 1, 30, "its consent ends on 2027-02-14, in 30 days;"),
        (29 * DAY + 17 * 3600, 30, "its consent ends on 2027-02-14, in 30 days;"),
        (2 * DAY, 2, "its consent ends on 2027-01-17, in 2 days;"),
        (DAY, 1, "its consent ends on 2027-01-16, tomorrow;"),
        (16 * 3600, 1, "its consent ends on 2027-01-16, tomorrow;"),
        (16 * 3600 - 1, 0, "its consent ends on 2027-01-15, today;"),
        (1, 0, "its consent ends on 2027-01-15, today;"),
        (0, 0, "the consent ended on 2027-01-15"),
        (-DAY, 0, "the consent ended on 2027-01-14"),
        (-40 * DAY, 0, "the consent ended on 2026-12-06"),
    ],
)
def test_the_days_of_a_consent(left: float, days: int, words: str | None) -> None:
    """Days are counted by dates in UTC, in the warning as in the field, and are never negative."""
    assert as_time(NOW) == "2027-01-15T08:00:00Z"
    token = replace(record().token or Token(""), consent_deadline=NOW + left)
    held = record(token=replace(token, refresh_expires_at=NOW + left))
    assert lifecycle.consent_days_left(held.token, NOW) == days
    warning = lifecycle.consent_warning(held, NOW, 30)
    assert (warning is None) is (words is None)
    assert warning is None or warning.cause.startswith(words or "")
    assert lifecycle.consent_warning(held, NOW, 30, told=GrantRejected("refused")) is None
