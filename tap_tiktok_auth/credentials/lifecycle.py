"""The life of a token: the rules, as pure functions.

What is stored, what is configured and what TikTok answered go in; what to do next and what to
store come out. Nothing here reads a clock, a file or a socket, so the rules can be tested with
any history.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from tap_tiktok_auth.errors import (
    AuthorizationRequired,
    ConfigurationError,
    Revoked,
    TikTokAuthError,
)
from tap_tiktok_auth.times import as_date

if TYPE_CHECKING:
    from tap_tiktok_auth.config.models import SeedKind
    from tap_tiktok_auth.credentials.models import StoredConnection, TokenRequestMark
    from tap_tiktok_auth.credentials.tokens import Token

Action = Literal["use", "refresh", "exchange", "import", "client_token", "stop"]

LOGIN = "Run: tiktok-auth login {connection}"
DAY = 86_400


@dataclass(frozen=True)
class Wish:
    """What is asked for, and from what it may be had.

    Attributes:
        now: Seconds since the epoch.
        margin: Refresh when less than this many seconds is left.
        min_lifetime: The token must work for at least this many seconds.
        force: Refresh even a fresh token, and try a refused credential again.
        settle: Ask again if TikTok left a refresh unanswered, even while the token is fresh.
        recheck: TikTok is asked about the token next, so one that it refused before will do.
        new_chain: Start from the seed whatever is stored.
        seed_kind: The kind of the configured seed, if there is one.
        seed_hash: Keyed hash of the configured seed.
        seed_attempt: Key of an attempt with the configured seed and app.
        refresh_attempt: Key of an attempt with the stored refresh token and app.
        elsewhere: Why what is stored must not be sent to the host of the settings, if so.
    """

    now: float
    margin: float
    min_lifetime: float = 0.0
    force: bool = False
    settle: bool = False
    recheck: bool = False
    new_chain: bool = False
    seed_kind: SeedKind | None = None
    seed_hash: str | None = None
    seed_attempt: str | None = None
    refresh_attempt: str | None = None
    elsewhere: ConfigurationError | None = None


@dataclass(frozen=True)
class Step:
    """What to do next.

    Attributes:
        action: `use` the stored token; `refresh` it; `exchange` the seed's code; `import` the
            seed's tokens; ask for a `client_token`; or `stop` with the error.
        error: Why to stop; with `use`, why the token could not be renewed.
    """

    action: Action
    error: TikTokAuthError | None = None

    @property
    def spends(self) -> bool:
        """Whether the step needs the connection's lease."""
        return self.action not in {"use", "stop"}


def next_step(record: StoredConnection | None, wish: Wish) -> Step:
    """Decide what to do to have a fresh token.

    Args:
        record: What the store has of the connection; None if nothing.
        wish: What is asked for.
    """
    if starts_new_chain(record, wish):
        return _start(record, wish)
    if record is None or record.token is None:
        return Step("stop", _no_token(record))
    if wish.elsewhere is not None:
        return Step("stop", wish.elsewhere)
    if _is_replaced(record, wish):
        return Step("stop", _replaced_seed())
    return _continue(record, record.token, wish)


def starts_new_chain(record: StoredConnection | None, wish: Wish) -> bool:
    """Whether the configured seed is one that the stored chain did not start from.

    A seed that TikTok has taken once never starts a chain again, however the config changes.
    Tokens of an app itself have no seed: they are asked for whenever none is there.
    """
    if wish.new_chain:
        return True
    if wish.seed_kind is None:
        return False
    if record is None:
        return True
    if wish.seed_kind == "client_credentials":
        return record.seed_hash != wish.seed_hash or (
            record.token is None and record.status != "revoked"
        )
    if wish.seed_hash == record.seed_hash or wish.seed_hash in record.spent_seeds:
        return False
    # One that TikTok refused is told of until something else has worked; then it is as good as
    # taken: it stands between nobody and a token.
    refused = wish.seed_attempt in record.spent_seeds
    return not refused or _was_refused(record.attempt, wish.seed_attempt)


def _is_replaced(record: StoredConnection, wish: Wish) -> bool:
    """Whether the configured seed was taken once and another seed has replaced it since.

    A login replaces seeds for good: there a seed left in the config is harmless.
    """
    return (
        wish.seed_hash is not None
        and wish.seed_hash != record.seed_hash
        and record.obtained_by != "login"
    )


def needs_renewal(token: Token, wish: Wish) -> bool:
    """Whether the token has too little time left, or renewal is forced."""
    if wish.force:
        return True
    if token.state(wish.now, wish.margin) != "fresh":
        return True
    if token.expires_at is None:
        return False
    return token.is_misdated(wish.now) or token.expires_at - wish.now < wish.min_lifetime


def can_renew(record: StoredConnection, now: float) -> bool:
    """Whether another token can be had without a person."""
    if record.token is None:
        return False
    return record.token.can_refresh(now) or record.obtained_by == "client_credentials"


def _start(record: StoredConnection | None, wish: Wish) -> Step:
    attempt = record.attempt if record else None
    if _was_refused(attempt, wish.seed_attempt) and not wish.force:
        return Step("stop", _remembered(record, "TikTok refused the configured seed"))
    if wish.seed_kind == "auth_code":
        return Step("exchange")
    if wish.seed_kind == "client_credentials":
        return Step("client_token")
    return Step("import")


def _continue(record: StoredConnection, token: Token, wish: Wish) -> Step:
    renewable = token.refreshable if wish.force else token.can_refresh(wish.now)
    refused = record.status == "reauthorization_required" and not renewable
    if refused and not wish.recheck and wish.seed_kind != "client_credentials":
        return Step("stop", _ended(record, token))
    if not needs_renewal(token, wish) and not (wish.settle and _is_open(record, wish)):
        return Step("use")
    expired = token.state(wish.now, wish.margin) == "expired"
    if wish.seed_kind == "client_credentials":
        return Step("client_token")
    if not token.refreshable:
        return Step("stop", _ended(record, token)) if expired else Step("use")
    if not token.can_refresh(wish.now) and not wish.force:
        return Step("stop", _consent_over(token)) if expired else Step("use", _consent_over(token))
    if wish.refresh_attempt in record.spent_seeds and not wish.force:
        error = _remembered(record, "TikTok refused the refresh token")
        return Step("stop" if expired else "use", error)
    return Step("refresh")


def _is_open(record: StoredConnection, wish: Wish) -> bool:
    """Whether it is not known what became of the last refresh."""
    attempt = record.attempt
    return (
        attempt is not None and attempt.outcome != "refused" and attempt.key == wish.refresh_attempt
    )


def _was_refused(attempt: TokenRequestMark | None, key: str | None) -> bool:
    return attempt is not None and attempt.outcome == "refused" and attempt.key == key


def _no_token(record: StoredConnection | None) -> TikTokAuthError:
    if record is not None and record.status == "revoked":
        return Revoked(
            "its token was revoked on purpose",
            next_step="To use it again, run: tiktok-auth login {connection}",
        )
    if record is not None and record.failure is not None:
        return _remembered(record, "it has no token")
    return AuthorizationRequired(
        "it has no token yet",
        next_step="Give it an auth_code in the config, or run: tiktok-auth login {connection}",
    )


def _replaced_seed() -> ConfigurationError:
    return ConfigurationError(
        "its seed was used before, and another one has replaced it in the token store",
        next_step="If two projects share the store, give their connections different names; "
        "else run: tiktok-auth login {connection}",
    )


def _ended(record: StoredConnection, token: Token) -> TikTokAuthError:
    if record.failure is not None and record.status == "reauthorization_required":
        return _remembered(record, "TikTok refuses the token")
    if token.long_term:
        cause = "its token was revoked, or access was withdrawn"
    else:
        cause = "its token has expired and there is no refresh token"
    return AuthorizationRequired(cause, next_step=LOGIN)


def _consent_over(token: Token) -> AuthorizationRequired:
    when = f" on {as_date(token.refresh_expires_at)}" if token.refresh_expires_at else ""
    return AuthorizationRequired(f"the consent ended{when}", next_step=LOGIN)


def _remembered(record: StoredConnection | None, otherwise: str) -> TikTokAuthError:
    """Return the stored refusal as an error again, without asking TikTok again."""
    if record is None or record.failure is None:
        return AuthorizationRequired(otherwise, next_step=LOGIN)
    kind: type[TikTokAuthError] = AuthorizationRequired
    next_step = LOGIN
    if record.status == "pending" and record.attempt and record.attempt.outcome == "refused":
        # The app was refused with the code: another secret may be all it needs.
        kind, next_step = ConfigurationError, f"Correct app_id and app_secret. Else {LOGIN.lower()}"
    return kind(
        record.failure.message,
        code=record.failure.code,
        request_id=record.request_id,
        next_step=next_step,
    )


def consent_days_left(token: Token | None, now: float) -> int | None:
    """Return the days from today's date to that on which the consent ends, both in UTC.

    It is 0 on the last day and ever after; None if the consent has no end that is known.
    """
    if token is None or token.consent_deadline is None:
        return None
    return max(int(token.consent_deadline // DAY - now // DAY), 0)


def consent_warning(
    record: StoredConnection, now: float, days: int, told: TikTokAuthError | None = None
) -> AuthorizationRequired | None:
    """Return a warning if the consent has ended or ends within *days*; else None.

    Args:
        record: What the store has of the connection.
        now: Seconds since the epoch.
        days: The setting `consent_warning_days`.
        told: What is told of the connection anyway; one that asks for a login is enough.
    """
    token = record.token
    if token is None or token.consent_deadline is None or isinstance(told, AuthorizationRequired):
        return None
    if token.consent_deadline - now >= days * DAY:
        return None
    if token.consent_deadline <= now:
        return _consent_over(token)
    left = consent_days_left(token, now) or 0
    when = ("today", "tomorrow")[left] if left < 2 else f"in {left} days"
    return AuthorizationRequired(
        f"its consent ends on {as_date(token.consent_deadline)}, {when}; refreshing does not move "
        "that",
        next_step="Before then, run: tiktok-auth login {connection}",
    )
