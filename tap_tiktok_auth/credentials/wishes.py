"""Questions for a token, put in terms of what is stored, and their answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_tiktok_auth.credentials import lifecycle
from tap_tiktok_auth.credentials.lifecycle import Wish
from tap_tiktok_auth.errors import AuthorizationRequired, TikTokAuthError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.apis.base import Identity, TokenResponse
    from tap_tiktok_auth.config.models import App, Connection
    from tap_tiktok_auth.credentials.lifecycle import Step
    from tap_tiktok_auth.credentials.models import EventName, StoredConnection
    from tap_tiktok_auth.credentials.registry import ConnectionRegistry
    from tap_tiktok_auth.store.contract import Store


@dataclass(frozen=True)
class Ask:
    """How a token is asked for.

    Attributes:
        min_lifetime: Seconds for which it must work.
        recheck: Whether TikTok is asked about it next.
        force: Refresh even a fresh token, and try a refused credential again.
        since: With *force*: a token that was asked for after this time will do.
        settle: Ask again if TikTok left a request unanswered, even while the token is fresh.
        login: Start a new chain whatever is stored.
        login_seed_hash: Keyed hash of the seed that the config has at that time.
        approve: Called with what TikTok grants to a login, before it is stored; may refuse it.
        seen: The generation that was stored when the question came. A newer token answers it,
            however it was put: who waited for another's refresh does not refresh again.
        told: Called with an access token that TikTok had to confirm on the way, and with what it
            said about it.
    """

    min_lifetime: float = 0.0
    recheck: bool = False
    force: bool = False
    since: float | None = None
    settle: bool = False
    login: bool = False
    login_seed_hash: str | None = None
    approve: Callable[[TokenResponse], None] = lambda _: None
    seen: int = 0
    told: Callable[[str, Identity], None] | None = None


@dataclass(frozen=True)
class Outcome:
    """How it ended.

    Attributes:
        record: What is stored now.
        warning: Why the token could not be renewed, if it still works.
        renewal: What was done for it here and now; None if nothing was, or somewhere else.
    """

    record: StoredConnection
    warning: TikTokAuthError | None = None
    renewal: EventName | None = None


class Wishes:
    """Puts questions for tokens in terms of what is stored.

    Args:
        store: The token store, for its clock and its keyed hashes.
        registry: Knows the apps.
        margin: Refresh when less than this many seconds is left.
    """

    def __init__(self, store: Store, registry: ConnectionRegistry, margin: float) -> None:
        self._store = store
        self._roster = registry
        self._margin = margin

    def of(self, connection: Connection, record: StoredConnection | None, ask: Ask) -> Wish:
        """Return what *ask* means for a connection of which *record* is stored."""
        seed, digest = connection.seed, self._store.digest
        token = record.token if record else None
        refresh = token.refresh_token if token else None
        attempt = None
        if seed is not None:
            extra = f"{connection.redirect_uri}\0{seed.code_verifier}\0{connection.api}"
            sent_by = _credentials(connection.app)
            attempt = digest(f"seed\0{seed.material}\0{sent_by}\0{extra}")
        owner = _credentials(self._roster.app(connection, record))
        unanswered = (record.generation if record else 0) == ask.seen
        forced = ask.force and not (token and ask.since and token.issued_at >= ask.since)
        return Wish(
            now=self._store.now(),
            margin=self._margin,
            min_lifetime=ask.min_lifetime if unanswered else 0.0,
            force=ask.login or (forced and unanswered),
            recheck=ask.recheck,
            settle=ask.settle,
            new_chain=ask.login,
            seed_kind=seed.kind if seed else None,
            seed_hash=digest(seed.material) if seed else None,
            seed_attempt=attempt,
            refresh_attempt=digest(f"refresh\0{refresh}\0{owner}") if refresh else None,
            elsewhere=self._roster.elsewhere(record) if record else None,
        )


def _credentials(app: App | None) -> str:
    return f"{app.app_id}\0{app.secret}" if app else ""


def settle(record: StoredConnection | None, step: Step) -> Outcome:
    """Return the answer of a step for which nothing is sent.

    Raises:
        TikTokAuthError: The step is to stop.
    """
    if step.action == "stop" or record is None:
        raise step.error or AuthorizationRequired("it has no token", next_step=lifecycle.LOGIN)
    return Outcome(record, step.error)
