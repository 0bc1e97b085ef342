"""The life of a token: the rules, as pure functions.

What is stored, what is configured and what is asked for go in; what to do next comes out. What to
store once it is done stands in `transitions`. Nothing here reads a clock, a file or a socket, so
the rules can be tested with any history.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from tap_tiktok_auth.credentials.models import Credentials
from tap_tiktok_auth.errors import (
    AuthorizationRequired,
    ConfigurationError,
    Revoked,
    TikTokAuthError,
)
from tap_tiktok_auth.times import as_date

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.apis.base import Identity, TokenResponse
    from tap_tiktok_auth.config.models import Connection, SeedKind
    from tap_tiktok_auth.credentials.models import StoredConnection, Token, TokenRequestMark

Action = Literal["use", "refresh", "exchange", "import", "client_token", "stop"]

LOGIN = "Run: tiktok-auth login {connection}"
DAY = 86_400


@dataclass(frozen=True)
class TokenOptions:
    """How a token is asked for.

    Attributes:
        min_lifetime: Seconds for which it must work at least.
        force: Refresh even a fresh token, and send a refused credential again.
        since: With *force*: a token that was requested after this time will do.
        recheck: A token that TikTok refused before will do, because TikTok is asked about it next.
        settle: Refresh also a fresh token if TikTok left its last refresh unanswered.
        login: Start a new chain from the connection's seed, whatever is stored.
        configured_seed_hash: With *login*: keyed hash of the seed in the config, which counts as
            taken from then on.
        seen: The generation that was stored when the question came. A newer token answers it,
            however it was put: who waited for another's refresh does not refresh again.
        approve: Called with what TikTok grants to a login, before it is stored; may refuse it.
        confirmed: Called with an access token that TikTok had to confirm on the way, and with what
            it said about it.
    """

    min_lifetime: float = 0.0
    force: bool = False
    since: float | None = None
    recheck: bool = False
    settle: bool = False
    login: bool = False
    configured_seed_hash: str | None = None
    seen: int | None = None
    approve: Callable[[TokenResponse], None] = lambda _: None
    confirmed: Callable[[str, Identity], None] = lambda *_: None

    def still_asked(self, stored: StoredConnection | None) -> TokenOptions:
        """Return the options without what the stored token answers by being new."""
        if self.login:
            return replace(self, force=True)
        if self.seen is not None and (stored.generation if stored else 0) != self.seen:
            return replace(self, force=False, min_lifetime=0.0)
        token = stored.token if stored else None
        if token and self.since and token.issued_at >= self.since:
            return replace(self, force=False)
        return self


@dataclass(frozen=True)
class Circumstances:
    """What a decision depends on beside what is stored and what is asked for.

    Attributes:
        now: Seconds since the epoch, by the store's clock.
        margin: Refresh when less than this many seconds is left.
        seed_kind: The kind of the configured seed, if there is one.
        seed_hash: Keyed hash of the configured seed.
        seed_key: Keyed hash of all credentials in a request with the configured seed.
        refresh_key: Keyed hash of all credentials in a request with the stored refresh token.
        other_host: Why what is stored must not be sent to the host of the settings, if so.
    """

    now: float
    margin: float
    seed_kind: SeedKind | None = None
    seed_hash: str | None = None
    seed_key: str | None = None
    refresh_key: str | None = None
    other_host: ConfigurationError | None = None


@dataclass(frozen=True)
class Decision:
    """What to do next.

    Attributes:
        action: `use` the stored token; `refresh` it; `exchange` the seed's code; `import` the
            seed's tokens; ask for a `client_token`; or `stop` with the error.
        error: Why to stop; with `use`, why the token could not be renewed.
    """

    action: Action
    error: TikTokAuthError | None = None

    @property
    def sends(self) -> bool:
        """Whether a token request is due, which needs the connection's lease."""
        return self.action not in {"use", "stop"}


def decide(
    stored: StoredConnection | None, options: TokenOptions, facts: Circumstances
) -> Decision:
    """Decide what to do to have a fresh token.

    Args:
        stored: What the store has of the connection; None if nothing.
        options: What is asked for.
        facts: What else it depends on.
    """
    options = options.still_asked(stored)
    if options.login or starts_new_chain(stored, facts):
        return _start(stored, options, facts)
    if stored is None or stored.token is None:
        return Decision("stop", _no_token(stored))
    if facts.other_host is not None:
        return Decision("stop", facts.other_host)
    # A login replaces seeds for good: there a seed left in the config is harmless.
    if facts.seed_hash not in {None, stored.seed_hash} and stored.obtained_by != "login":
        return Decision("stop", _replaced_seed())
    return _continue(stored, stored.token, options, facts)


def starts_new_chain(stored: StoredConnection | None, facts: Circumstances) -> bool:
    """Whether the configured seed is one that the stored chain did not start from.

    A seed that TikTok has taken once never starts a chain again, however the config changes.
    Tokens of an app itself have no seed: they are asked for whenever none is there.
    """
    if facts.seed_kind is None:
        return False
    if stored is None:
        return True
    if facts.seed_kind == "client_credentials":
        return stored.seed_hash != facts.seed_hash or (
            stored.token is None and stored.status != "revoked"
        )
    if facts.seed_hash == stored.seed_hash or facts.seed_hash in stored.spent_seeds:
        return False
    # A refused seed is reported until something else has worked; from then on it counts as taken.
    refused = facts.seed_key in stored.spent_seeds
    return not refused or _was_refused(stored.attempt, facts.seed_key)


def needs_renewal(token: Token, options: TokenOptions, facts: Circumstances) -> bool:
    """Whether the token has too little time left, or renewal is forced."""
    if options.force or token.state(facts.now, facts.margin) != "fresh":
        return True
    if token.expires_at is None:
        return False
    return token.is_misdated(facts.now) or token.expires_at - facts.now < options.min_lifetime


def can_renew(stored: StoredConnection, now: float) -> bool:
    """Whether another token can be had without a person."""
    if stored.token is None:
        return False
    return stored.token.can_refresh(now) or stored.obtained_by == "client_credentials"


def is_usable(stored: StoredConnection | None, now: float, min_lifetime: float) -> bool:
    """Whether the stored token works for that long."""
    token = stored.token if stored else None
    if token is None or token.state(now, 0) == "expired":
        return False
    return token.expires_at is None or token.expires_at >= now + min_lifetime


def _start(
    stored: StoredConnection | None, options: TokenOptions, facts: Circumstances
) -> Decision:
    attempt = stored.attempt if stored else None
    if _was_refused(attempt, facts.seed_key) and not options.force:
        return Decision("stop", _remembered(stored, "TikTok refused the configured seed"))
    if facts.seed_kind == "auth_code":
        return Decision("exchange")
    if facts.seed_kind == "client_credentials":
        return Decision("client_token")
    return Decision("import")


def _continue(
    stored: StoredConnection, token: Token, options: TokenOptions, facts: Circumstances
) -> Decision:
    renewable = token.refreshable if options.force else token.can_refresh(facts.now)
    of_app = facts.seed_kind == "client_credentials"
    refused = stored.status == "reauthorization_required" and not renewable
    if refused and not options.recheck and not of_app:
        return Decision("stop", _ended(stored, token))
    unsettled = options.settle and is_unanswered(stored.attempt, facts.refresh_key)
    if not needs_renewal(token, options, facts) and not unsettled:
        return Decision("use")
    if of_app:
        return Decision("client_token")
    # What cannot be renewed is used to its end.
    otherwise: Action = "stop" if token.state(facts.now, facts.margin) == "expired" else "use"
    if not token.refreshable:
        return Decision(otherwise, _ended(stored, token) if otherwise == "stop" else None)
    if not token.can_refresh(facts.now) and not options.force:
        return Decision(otherwise, _consent_over(token))
    if facts.refresh_key in stored.spent_seeds and not options.force:
        return Decision(otherwise, _remembered(stored, "TikTok refused the refresh token"))
    return Decision("refresh")


def is_unanswered(attempt: TokenRequestMark | None, key: str | None) -> bool:
    """Whether that request was sent and what became of it is not known."""
    return attempt is not None and attempt.outcome != "refused" and attempt.key == key


def _was_refused(attempt: TokenRequestMark | None, key: str | None) -> bool:
    return attempt is not None and attempt.outcome == "refused" and attempt.key == key


def _no_token(stored: StoredConnection | None) -> TikTokAuthError:
    if stored is not None and stored.status == "revoked":
        return Revoked(
            "its token was revoked on purpose",
            next_step="To use it again, run: tiktok-auth login {connection}",
        )
    if stored is not None and stored.failure is not None:
        return _remembered(stored, "it has no token")
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


def _ended(stored: StoredConnection, token: Token) -> TikTokAuthError:
    if stored.failure is not None and stored.status == "reauthorization_required":
        return _remembered(stored, "TikTok refuses the token")
    if token.long_term:
        cause = "its token was revoked, or access was withdrawn"
    else:
        cause = "its token has expired and there is no refresh token"
    return AuthorizationRequired(cause, next_step=LOGIN)


def _consent_over(token: Token) -> AuthorizationRequired:
    when = f" on {as_date(token.refresh_expires_at)}" if token.refresh_expires_at else ""
    return AuthorizationRequired(f"the consent ended{when}", next_step=LOGIN)


def _remembered(stored: StoredConnection | None, otherwise: str) -> TikTokAuthError:
    """Return the stored refusal as an error again, without asking TikTok again."""
    if stored is None or stored.failure is None:
        return AuthorizationRequired(otherwise, next_step=LOGIN)
    kind: type[TikTokAuthError] = AuthorizationRequired
    next_step = LOGIN
    if stored.status == "pending" and stored.attempt and stored.attempt.outcome == "refused":
        # The app was refused with the code: another secret may be all it needs.
        kind, next_step = ConfigurationError, f"Correct app_id and app_secret. Else {LOGIN.lower()}"
    return kind(
        stored.failure.message,
        code=stored.failure.code,
        request_id=stored.request_id,
        next_step=next_step,
    )


def without_sending(
    connection: Connection, stored: StoredConnection | None, decision: Decision
) -> Credentials:
    """Return what a decision by which nothing is sent comes to.

    Raises:
        TikTokAuthError: The decision is to stop.
    """
    if decision.action == "stop" or stored is None:
        raise decision.error or AuthorizationRequired("it has no token", next_step=LOGIN)
    return Credentials(connection, stored, decision.error)


def consent_days_left(token: Token | None, now: float) -> int | None:
    """Return the days from today's date to that on which the consent ends, both in UTC.

    It is 0 on the last day and ever after; None if the consent has no end that is known.
    """
    if token is None or token.consent_deadline is None:
        return None
    return max(int(token.consent_deadline // DAY - now // DAY), 0)


def consent_warning(
    stored: StoredConnection, now: float, days: int, told: TikTokAuthError | None = None
) -> AuthorizationRequired | None:
    """Return a warning if the consent has ended or ends within *days*; else None.

    Args:
        stored: What the store has of the connection.
        now: Seconds since the epoch.
        days: The setting `consent_warning_days`.
        told: What is told of the connection anyway; one that asks for a login is enough.
    """
    token = stored.token
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
