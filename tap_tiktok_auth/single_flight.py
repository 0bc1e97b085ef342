"""One renewal however many ask: take the lease and do what is due, or wait for who does it.

Threads, processes and machines go the same way, because the lease is a row of the store.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tap_tiktok_auth import lifecycle, outcomes
from tap_tiktok_auth.errors import AuthorizationRequired, Interrupted, TryAgainLater
from tap_tiktok_auth.leases import Leases, Patience, is_dead
from tap_tiktok_auth.lifecycle import Step, Wish, next_step
from tap_tiktok_auth.records import Attempt, Record
from tap_tiktok_auth.renewal import Outcome, Renewal, carry_out
from tap_tiktok_auth.signals import deferred

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from tap_tiktok_auth.apis.base import TokenApi
    from tap_tiktok_auth.client import Client
    from tap_tiktok_auth.connections import App, Config, Connection
    from tap_tiktok_auth.roster import Roster
    from tap_tiktok_auth.store.contract import Store

#: Seconds to wait for another process's refresh while the old token still works.
PATIENCE_WITH_TOKEN = 15.0
#: Seconds to wait for it when there is no token to work with: TikTok's longest pause, and a bit.
PATIENCE_WITHOUT_TOKEN = 420.0


@dataclass(frozen=True)
class Ask:
    """How a token is asked for.

    Attributes:
        min_lifetime: Seconds for which it must work.
        recheck: Whether TikTok is asked about it next.
        force: Refresh even a fresh token, and try a refused credential again.
        login: Start a new chain whatever is stored.
        login_seed_hash: Keyed hash of the seed that the config has at that time.
        seen: The generation that was stored when the question came. A newer token answers it,
            however it was put: who waited for another's refresh does not refresh again.
    """

    min_lifetime: float = 0.0
    recheck: bool = False
    force: bool = False
    login: bool = False
    login_seed_hash: str | None = None
    seen: int = 0


class SingleFlight:
    """Has connections' tokens renewed, one request to TikTok for all who ask at once.

    Args:
        config: The checked config.
        store: The token store.
        roster: Knows the apps.
        api: Returns the token system of a connection.
        client: Returns the HTTP client.
        stop: Set while the process is told to stop.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        roster: Roster,
        *,
        api: Callable[[Connection], TokenApi],
        client: Callable[[], Client],
        stop: threading.Event,
    ) -> None:
        self._config = config
        self._store = store
        self._roster = roster
        self._api = api
        self._client = client
        self._stop = stop
        self._leases = Leases(store, config.request_timeout)

    def obtain(self, connection: Connection, ask: Ask) -> Outcome:
        """Return a record with a token that works, renewing it only if it must be.

        Raises:
            TikTokAuthError: There is no such token.
        """
        record = self._store.read(connection.name)
        if record is not None and record.attempt is not None and record.attempt.outcome == "sent":
            record = self._recovered(record)
        ask = replace(ask, seen=record.generation if record else 0)
        step = next_step(record, self._wish(connection, record, ask))
        if not step.spends:
            return _settle(record, step)
        with deferred(self._stop):
            return self._renew(connection, ask)

    def _recovered(self, record: Record) -> Record | None:
        """Take in a token that an earlier process could not store."""
        from tap_tiktok_auth.store import recovery  # noqa: PLC0415  (needed after distress only)

        recovery.take_in(self._store)
        return self._store.read(record.name)

    def _wish(self, connection: Connection, record: Record | None, ask: Ask) -> Wish:
        seed, digest = connection.seed, self._store.digest
        app = self._roster.app(connection, record)
        credentials = f"{app.app_id}\0{app.secret}" if app else ""
        attempt = None
        if seed is not None:
            extra = f"{connection.redirect_uri}\0{seed.code_verifier}\0{connection.api}"
            attempt = digest(f"seed\0{seed.material}\0{credentials}\0{extra}")
        refresh = record.token.refresh_token if record and record.token else None
        unanswered = (record.generation if record else 0) == ask.seen
        return Wish(
            now=self._store.now(),
            margin=self._config.refresh_margin,
            min_lifetime=ask.min_lifetime if unanswered else 0.0,
            force=ask.login or (ask.force and unanswered),
            recheck=ask.recheck,
            new_chain=ask.login,
            seed_kind=seed.kind if seed else None,
            seed_hash=digest(seed.material) if seed else None,
            seed_attempt=attempt,
            refresh_attempt=digest(f"refresh\0{refresh}\0{credentials}") if refresh else None,
        )

    def _renew(self, connection: Connection, ask: Ask) -> Outcome:
        """Take the lease and do what is due under it, or wait for who does it already."""
        name, patience, dead = connection.name, None, None
        while True:
            plan = _Plan()
            holder = self._leases.new_holder()
            claim = self._store.claim(
                name, holder, self._leases.ttl, self._planner(connection, ask, plan), dead=dead
            )
            if claim.outcome == "held" and claim.record is not None:
                return self._carry_out(connection, claim.record, holder, plan, ask)
            if claim.outcome == "declined":
                return _settle(claim.record, plan.step)
            wish = self._wish(connection, claim.record, ask)
            step = next_step(claim.record, wish)
            if not step.spends:
                return _settle(claim.record, step)
            if claim.holder is not None and is_dead(claim.holder):
                dead = claim.holder
                continue
            works = step.action == "refresh" and _works(claim.record, wish)
            patience = patience or Patience(
                PATIENCE_WITH_TOKEN if works else PATIENCE_WITHOUT_TOKEN, self._stop
            )
            if not patience.wait():
                busy = TryAgainLater(
                    "another process has been renewing the token for long",
                    next_step="Run again later.",
                )
                if works and claim.record is not None:
                    return _settle(claim.record, Step("use", busy))
                raise busy

    def _carry_out(
        self, connection: Connection, record: Record, holder: str, plan: _Plan, ask: Ask
    ) -> Outcome:
        renewal = Renewal(
            connection=replace(connection, app=self._app_for(plan.step, connection, record)),
            record=plan.found or record,
            action=plan.step.action,
            attempt=plan.attempt,
            holder=holder,
            seed_hash=ask.login_seed_hash if ask.login else plan.seed_hash,
            is_login=ask.login,
            is_new=plan.before is None,
            was_lost=plan.before != plan.found and plan.before is not None,
        )
        with self._leases.kept(connection.name, holder):
            return carry_out(
                renewal,
                store=self._store,
                client=self._client,
                api=self._api(connection),
                confirm=lambda: self._leases.confirm(connection.name, holder),
                stop=self._stop,
            )

    def _planner(
        self, connection: Connection, ask: Ask, plan: _Plan
    ) -> Callable[[Record | None], Record | None]:
        def prepare(record: Record | None) -> Record | None:
            """Decide, under the lease, on what is stored at this very moment."""
            if self._stop.is_set():
                raise Interrupted("told to stop")
            plan.before = record
            record = outcomes.lost_answer(record) if record else None
            wish = self._wish(connection, record, ask)
            plan.wish, plan.step = wish, next_step(record, wish)
            if not plan.step.spends:
                return None
            record = record or Record(connection.name, connection.api, "")
            plan.found = record
            # From here until the commit whoever finds this without a holder knows that the
            # request may have been sent.
            return replace(record, attempt=Attempt(plan.attempt, wish.now, "sent"))

        return prepare

    def _app_for(self, step: Step, connection: Connection, record: Record) -> App | None:
        return self._roster.app(connection, record) if step.action == "refresh" else connection.app


class _Plan:
    """What was decided under the lease."""

    def __init__(self) -> None:
        self.step = Step("stop")
        self.wish: Wish | None = None
        self.before: Record | None = None
        self.found: Record | None = None

    @property
    def seed_hash(self) -> str | None:
        """Keyed hash of the configured seed."""
        return self.wish.seed_hash if self.wish else None

    @property
    def attempt(self) -> str:
        """Key of the attempt."""
        wish = self.wish
        if wish is None:
            return ""
        return (wish.refresh_attempt if self.step.action == "refresh" else wish.seed_attempt) or ""


def _works(record: Record | None, wish: Wish) -> bool:
    return (
        record is not None
        and record.token is not None
        and record.token.state(wish.now, 0) != "expired"
        and (record.token.expires_at or wish.now + wish.min_lifetime)
        >= wish.now + wish.min_lifetime
    )


def _settle(record: Record | None, step: Step) -> Outcome:
    if step.action == "stop" or record is None:
        raise step.error or AuthorizationRequired("it has no token", next_step=lifecycle.LOGIN)
    return Outcome(record, step.error)
