"""Single rules that the histories reach seldom."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.apis.base import Identity, TokenResponse
from tap_tiktok_auth.config.models import Connection
from tap_tiktok_auth.credentials import lifecycle, transitions
from tap_tiktok_auth.credentials.lifecycle import Circumstances, Decision, TokenOptions
from tap_tiktok_auth.credentials.models import StoredConnection, Token, TokenRequestMark
from tap_tiktok_auth.credentials.transitions import TokenRequest
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
    from tap_tiktok_auth.credentials.models import EventName

NOW = 1_800_000_000.0
DAY = 86_400.0


def record(**changes: Any) -> StoredConnection:
    """Return a connection with a token that is stale and can be refreshed."""
    token = Token("act", "rft", NOW - DAY + 600, NOW + 600, NOW + 9 * DAY, NOW + 9 * DAY)
    return replace(
        StoredConnection("acme", "accounts", "7001", 1, token, seed_hash="seed", status="active"),
        **changes,
    )


def decided(stored: StoredConnection, refresh_key: str = "key", **options: Any) -> Decision:
    """Return what a run does about that connection."""
    facts = Circumstances(
        NOW, 1800, seed_kind="auth_code", seed_hash="seed", refresh_key=refresh_key
    )
    return lifecycle.decide(stored, TokenOptions(**options), facts)


def due(stored: StoredConnection, action: Action = "refresh", key: str = "key") -> TokenRequest:
    """Return a token request for a connection."""
    return TokenRequest(Connection("acme", "accounts"), stored, action, key=key)


def failed(
    stored: StoredConnection, error: TikTokAuthError, action: Action = "refresh", key: str = "key"
) -> tuple[StoredConnection, tuple[EventName, ...]]:
    """Return what is stored, and the names of the events, once a token request failed."""
    return _named(transitions.failed(due(stored, action, key), error, NOW, str))


def stopped(
    stored: StoredConnection, error: TikTokAuthError
) -> tuple[StoredConnection, tuple[EventName, ...]]:
    """Return the same once no token was to be had."""
    return _named(transitions.stopped(stored, error, NOW, str))


def _named(change: transitions.Change) -> tuple[StoredConnection, tuple[EventName, ...]]:
    return change.stored, tuple(event.name for event in change.events)


@pytest.mark.parametrize(
    ("told", "kept", "events"),
    [
        (("a", "b"), ("a", "b"), ["refreshed"]),
        (("a",), ("a",), ["refreshed", "scopes_changed"]),
        (None, ("a", "b"), ["refreshed"]),
    ],
)
def test_scopes_after_a_refresh(
    told: tuple[str, ...] | None, kept: tuple[str, ...], events: list[str]
) -> None:
    """Other scopes than before are noted; an answer that tells none changes none."""
    before = record(scopes=("a", "b"))
    response = TokenResponse("new", "rft 2", DAY, scopes=told)
    change = transitions.granted(due(before), response, NOW, str)
    assert change.stored.scopes == kept
    assert [event.name for event in change.events] == events
    assert (change.events[0].fingerprint_before, change.events[0].fingerprint_after) == (
        "act",
        "new",
    )


def test_an_interruption_changes_nothing() -> None:
    """Nothing was sent, so what is known of an earlier attempt stays known."""
    before = record(attempt=TokenRequestMark("key", NOW - 9, "unconfirmed"), status="unconfirmed")
    actions: tuple[Action, ...] = ("refresh", "exchange", "import", "client_token")
    for action in actions:
        after, events = failed(before, Interrupted("told to stop"), action)
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
        after, events = failed(before, error)
        assert (after.status, events) == ("refresh_failing", ("refresh_failed",))
        assert after.token == before.token
        assert decided(after).action == "refresh"
    new = StoredConnection("acme", "accounts", "")
    after, events = failed(new, error, "exchange")
    assert (after.status, events) == ("pending", ())


@pytest.mark.parametrize("works", [True, False])
def test_a_refused_refresh_token(*, works: bool) -> None:
    """While the token works it is used; after that a person is needed; nothing is sent again."""
    token = replace(record().token or Token(""), expires_at=NOW + 600 if works else NOW - 1)
    error = GrantRejected("refused", code="40107", request_id="r1")
    after, events = failed(record(token=token), error)
    step = decided(after)
    assert isinstance(step.error, AuthorizationRequired)
    assert (step.error.code, step.error.request_id) == ("40107", "r1")
    if works:
        assert (after.status, step.action) == ("refresh_failing", "use")
        assert events == ("refresh_failed",)
    else:
        assert (after.status, step.action) == ("reauthorization_required", "stop")
        assert events == ("refresh_failed", "reauthorization_required")
    assert decided(after, force=True).action == "refresh"
    assert decided(after, "other key").action == "refresh"


def test_a_lost_answer_is_explained_once_and_only_for_the_same_request() -> None:
    """The explanation belongs to the credential whose answer was lost, and to a refusal of it."""
    unsure, _ = failed(record(), NoAnswer("broke off"))
    assert unsure.status == "unconfirmed"
    refused = GrantRejected("refused", code="40107", request_id="r1")
    explained = transitions.explain_loss(due(unsure, key="key"), refused)
    assert isinstance(explained, GrantRejected)
    assert "got no answer" in explained.cause
    assert (explained.code, explained.request_id) == ("40107", "r1")
    assert transitions.explain_loss(due(unsure, key="another"), refused) is refused
    assert transitions.explain_loss(due(record(), key="key"), refused) is refused
    limited = RateLimited("slow")
    assert transitions.explain_loss(due(unsure, key="key"), limited) is limited


def test_an_end_by_the_clock_is_noted_once() -> None:
    """A consent that is over marks the connection at the first look, not at each."""
    over = record(token=replace(record().token or Token(""), expires_at=NOW - 1))
    error = AuthorizationRequired("the consent ended")
    once, events = stopped(over, error)
    assert (once.status, events) == ("reauthorization_required", ("reauthorization_required",))
    assert stopped(once, error) == (once, ())
    assert stopped(over, Interrupted("told to stop")) == (over, ())
    passing, events = stopped(record(), Unreachable("away"))
    assert (passing.status, events) == ("active", ())
    assert passing.failure is not None


def test_a_rejected_token_is_given_up_only_if_another_can_be_had() -> None:
    """One that nothing can renew is kept, because TikTok may change its mind."""
    error = AccessTokenRejected("refused", code="40105")
    given_up = transitions.rejected(record(), error, NOW, str).stored
    assert given_up.token is not None
    assert given_up.token.state(NOW, 0) == "expired"
    assert decided(given_up).action == "refresh"
    over = record(token=replace(record().token or Token(""), refresh_expires_at=NOW - 1))
    for kept in (over, record(token=Token("act", long_term=True))):
        after = transitions.rejected(kept, error, NOW, str).stored
        assert (after.token, after.status) == (kept.token, "reauthorization_required")
        step = decided(after)
        assert (step.action, step.error and step.error.code) == ("stop", "40105")
        assert decided(after, recheck=True).action == "use"


def test_confirmation_does_not_hide_a_failing_refresh() -> None:
    """The token works, its renewal does not: both are true."""
    failing, _ = failed(record(), RateLimited("slow"))
    after = transitions.confirmed(failing, Identity(), NOW, str).stored
    assert (after.status, after.failure, after.verified_at) == (
        "refresh_failing",
        failing.failure,
        NOW,
    )


def refused() -> StoredConnection:
    """Return a connection whose refresh token TikTok has refused."""
    error = GrantRejected("TikTok does not accept the refresh token", code="40107", request_id="R1")
    after, _ = failed(record(), error)
    return after


@pytest.mark.parametrize("works", [True, False])
def test_a_refusal_is_the_word_that_lasts(*, works: bool) -> None:
    """What fails later for a passing reason neither hides TikTok's refusal nor lends it its id."""
    before = refused()
    assert before.token is not None
    if not works:
        before = replace(before, token=before.token.ended(NOW - 1))
    busy = RateLimited("TikTok restricts requests", code="40100", request_id="R2")
    after, _ = failed(before, busy)
    after, _ = stopped(after, busy)
    error = decided(after).error
    assert error is not None
    assert (error.cause, error.code, error.request_id) == (
        "TikTok does not accept the refresh token",
        "40107",
        "R1",
    )


def test_an_error_without_an_id_has_no_other_calls_id() -> None:
    """The id of an earlier call is not told with a failure that was none of TikTok's."""
    before = record(request_id="R0")
    after, _ = stopped(before, Unreachable("no connection"))
    assert (after.failure is not None, after.request_id) == (True, None)


def test_a_refused_seed_does_not_explain_the_end_of_the_chain_before_it() -> None:
    """A chain that ends later is told by its own cause, not by that of a new code that failed."""
    token = Token("act", None, NOW - DAY, NOW - 1)
    before = record(token=replace(token, expires_at=NOW + 9), refresh_count=0)
    error = GrantRejected("TikTok does not accept the auth code", code="40110")
    after, _ = failed(before, error, "exchange", key="new")
    ended = replace(after, token=token)
    told = decided(ended).error
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
