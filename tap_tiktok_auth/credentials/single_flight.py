"""One renewal however many ask: take the lease and do what is due, or wait for who does it.

Threads, processes and machines go the same way, because the lease is a row of the store.
"""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from tap_tiktok_auth.credentials import transitions
from tap_tiktok_auth.credentials.leases import Leases, Patience, is_dead
from tap_tiktok_auth.credentials.lifecycle import Step, Wish, next_step
from tap_tiktok_auth.credentials.models import StoredConnection, TokenRequestMark
from tap_tiktok_auth.credentials.renewal import carry_out
from tap_tiktok_auth.credentials.token_requests import Renewal
from tap_tiktok_auth.credentials.wishes import Outcome, settle
from tap_tiktok_auth.errors import Interrupted, StoreDamaged, StoreError, TryAgainLater
from tap_tiktok_auth.process import deferred

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_tiktok_auth.config.models import App, Connection
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.wishes import Ask, Wishes

#: Seconds to wait for another process's refresh while the old token still works.
PATIENCE_WITH_TOKEN = 15.0
#: Seconds to wait for it when there is no token to work with: TikTok's longest pause, and a bit.
PATIENCE_WITHOUT_TOKEN = 420.0


class SingleFlight:
    """Has connections' tokens renewed, one request to TikTok for all who ask at once.

    Args:
        manager: Has the store, the client and the apps.
        wishes: Puts questions in terms of what is stored.
    """

    def __init__(self, manager: TokenManager, wishes: Wishes) -> None:
        self._manager = manager
        self._store, self._stop = manager.store, manager.stop
        self._wishes = wishes
        self._leases = Leases(manager.store, manager.config.request_timeout)

    def renew(self, connection: Connection, ask: Ask) -> Outcome:
        """Have a token renewed, or use what someone else has made of it meanwhile.

        Raises:
            TikTokAuthError: There is no token that works.
        """
        with deferred(self._stop):
            return self._renew(connection, ask)

    def forget(self, name: str) -> bool:
        """Delete a connection once nobody renews it, so that no answer comes after it.

        Returns:
            Whether there was one.

        Raises:
            TryAgainLater: Its holder does not come to an end.
        """
        patience, dead = Patience(self._stop), None
        holder = self._leases.new_holder()
        while True:
            try:
                claim = self._store.claim(
                    name, holder, self._leases.ttl, lambda record: record, dead=dead
                )
            except StoreDamaged:
                return self._store.forget(name)  # nobody can renew it
            if claim.outcome != "busy":
                return claim.outcome == "held" and self._store.forget(name, holder)
            if claim.holder is not None and is_dead(claim.holder):
                dead = claim.holder
            elif not patience.wait(self._leases.ttl):
                raise TryAgainLater("another process renews its token", next_step="Run again.")

    def _renew(self, connection: Connection, ask: Ask) -> Outcome:
        """Take the lease and do what is due under it, or wait for who does it already."""
        name, patience, dead = connection.name, Patience(self._stop), None
        plan = _Plan()
        while True:
            plan = _Plan(looked_for=plan.looked_for)
            holder = self._leases.new_holder()
            prepare = self._planner(connection, ask, plan)
            with self._given_back(name, holder):
                claim = self._store.claim(name, holder, self._leases.ttl, prepare, dead=dead)
            if claim.outcome == "held" and claim.record is not None:
                return self._carry_out(connection, claim.record, holder, plan, ask)
            if claim.outcome == "declined":
                if plan.look_for is None:
                    return settle(claim.record, plan.step)
                # Whoever left this mark may have left TikTok's answer in a file.
                self._manager.take_in(name)
                plan.looked_for = plan.look_for
                continue
            wish = self._wishes.of(connection, claim.record, ask)
            step = next_step(claim.record, wish)
            if not step.spends:
                return settle(claim.record, step)
            if claim.holder is not None and is_dead(claim.holder):
                dead = claim.holder
                continue
            # Looked at each time: a token that works may end while another process is waited for.
            works = step.action == "refresh" and _works(claim.record, wish)
            if not patience.wait(PATIENCE_WITH_TOKEN if works else PATIENCE_WITHOUT_TOKEN):
                busy = TryAgainLater(
                    "another process has been renewing the token for long",
                    next_step="Run again later.",
                )
                if works and claim.record is not None:
                    return settle(claim.record, Step("use", busy))
                raise busy

    def _carry_out(
        self, connection: Connection, record: StoredConnection, holder: str, plan: _Plan, ask: Ask
    ) -> Outcome:
        refreshes = plan.step.action == "refresh"
        owner = replace(
            connection,
            app=self._app_for(plan.step, connection, record),
            # A refresh token belongs to the token system that gave it, whatever the config says.
            api=record.api if refreshes else connection.api,
        )
        renewal = Renewal(
            connection=owner,
            record=plan.found or record,
            claimed=record,
            action=plan.step.action,
            attempt=plan.attempt,
            holder=holder,
            seed_hash=ask.login_seed_hash if ask.login else plan.seed_hash,
            is_login=ask.login,
            is_new=plan.before is None,
            was_lost=plan.before != plan.found and plan.before is not None,
            told=ask.told,
            approve=ask.approve,
        )
        with self._leases.kept(connection.name, holder), self._given_back(owner.name, holder):
            return carry_out(
                renewal,
                store=self._store,
                client=lambda: self._manager.client,
                api=self._manager.api(owner),
                confirm=lambda: self._leases.confirm(connection.name, holder),
                end=self._manager.end,
                stop=self._stop,
            )

    @contextmanager
    def _given_back(self, name: str, holder: str) -> Iterator[None]:
        """Give a lease back if something fails in the block, lest others wait for its end.

        It may be ours although the store failed: a commit whose confirmation was lost is one.
        """
        try:
            yield
        except BaseException:
            with suppress(StoreError):
                self._store.release(name, holder)
            raise

    def _planner(
        self, connection: Connection, ask: Ask, plan: _Plan
    ) -> Callable[[StoredConnection | None], StoredConnection | None]:
        def prepare(record: StoredConnection | None) -> StoredConnection | None:
            """Decide, under the lease, on what is stored at this very moment."""
            if self._stop.is_set():
                raise Interrupted("told to stop")
            plan.before = record
            mark = record.attempt if record else None
            if mark is not None and mark.outcome != "refused" and mark != plan.looked_for:
                plan.look_for = mark
                return None
            record = transitions.lost_answer(record) if record else None
            wish = self._wishes.of(connection, record, ask)
            plan.wish, plan.step = wish, next_step(record, wish)
            if not plan.step.spends:
                return None
            record = record or StoredConnection(connection.name, connection.api, "")
            plan.found = record
            # From here until the commit whoever finds this without a holder knows that the
            # request may have been sent.
            return replace(record, attempt=TokenRequestMark(plan.attempt, wish.now, "sent"))

        return prepare

    def _app_for(self, step: Step, connection: Connection, record: StoredConnection) -> App | None:
        return (
            self._manager.registry.app(connection, record)
            if step.action == "refresh"
            else connection.app
        )


class _Plan:
    """What was decided under the lease."""

    def __init__(self, looked_for: TokenRequestMark | None = None) -> None:
        self.looked_for = looked_for
        self.look_for: TokenRequestMark | None = None
        self.step = Step("stop")
        self.wish: Wish | None = None
        self.before: StoredConnection | None = None
        self.found: StoredConnection | None = None

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


def _works(record: StoredConnection | None, wish: Wish) -> bool:
    return (
        record is not None
        and record.token is not None
        and record.token.state(wish.now, 0) != "expired"
        and (record.token.expires_at or wish.now + wish.min_lifetime)
        >= wish.now + wish.min_lifetime
    )
