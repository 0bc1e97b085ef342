"""Renewal of a token: one request to TikTok, however many ask; its answer committed before any use.

Threads, processes and machines go the same way, because the lease is a row of the store.
"""

from __future__ import annotations

import logging
import math
import time
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from tap_tiktok_auth import network
from tap_tiktok_auth.apis.base import need_app
from tap_tiktok_auth.credentials import transitions
from tap_tiktok_auth.credentials.leases import Leases, Patience, is_dead
from tap_tiktok_auth.credentials.lifecycle import (
    LOGIN,
    Decision,
    decide,
    is_usable,
    without_sending,
)
from tap_tiktok_auth.credentials.models import (
    AdvertiserListing,
    Credentials,
    StoredConnection,
    TokenRequestMark,
)
from tap_tiktok_auth.credentials.token_requests import send
from tap_tiktok_auth.credentials.transitions import TokenRequest
from tap_tiktok_auth.errors import (
    AuthorizationRequired,
    Interrupted,
    Revoked,
    StoreDamaged,
    StoreError,
    StoreUnavailable,
    TikTokAuthError,
    TryAgainLater,
)
from tap_tiktok_auth.http.client import Client
from tap_tiktok_auth.process import Lock, Stop, deferred
from tap_tiktok_auth.redaction import teach
from tap_tiktok_auth.store import recovery

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_tiktok_auth.config.models import Config, Connection
    from tap_tiktok_auth.credentials.lifecycle import TokenOptions
    from tap_tiktok_auth.credentials.registry import ConnectionRegistry
    from tap_tiktok_auth.store.contract import Claim, Store

log = logging.getLogger(__name__)

#: Seconds to wait for another process's refresh while the old token still works.
PATIENCE_WITH_TOKEN = 15.0
#: Seconds to wait for it when there is no token to work with: TikTok's longest pause, and a bit.
PATIENCE_WITHOUT_TOKEN = 420.0
#: Seconds to wait before each further try to commit an answer to a store that fails.
COMMIT_RETRIES = (0.1, 1.0, 5.0, 10.0)
#: Seconds that one such try may take: with the answer safe in a file, and without.
COMMIT_PATIENCE, LAST_PATIENCE = 3.0, 15.0


class Renewals:
    """Renews, revokes and removes the tokens of connections.

    Args:
        config: The checked config.
        store: The token store.
        registry: Knows the connections and their apps.
        stop: Set while the process is told to stop.
    """

    def __init__(
        self,
        config: Config,
        store: Store,
        registry: ConnectionRegistry,
        stop: Stop,
    ) -> None:
        self._config, self._store, self._registry = config, store, registry
        self._stop = stop
        self._client: Client | None = None
        self._leases = Leases(store, config.request_timeout)
        self._lock, self._looking, self._looked_at = Lock(), Lock(), -math.inf

    @property
    def client(self) -> Client:
        """The HTTP client, made when it is first needed."""
        with self._lock.held():
            if self._client is None:
                self._client = Client(
                    timeout=self._config.request_timeout,
                    requests_per_second=self._config.requests_per_second,
                    clock=self._store.now,
                    stop=self._stop,
                    connections=self._config.parallelism,
                )
            return self._client

    def close(self) -> None:
        """Close the connections to TikTok."""
        if self._client is not None:
            self._client.close()

    def renew(self, connection: Connection, options: TokenOptions) -> Credentials:
        """Have a token renewed, or use what someone else has made of it meanwhile."""
        with deferred(self._stop):
            return self._renew(connection, options)

    def _renew(self, connection: Connection, options: TokenOptions) -> Credentials:
        patience, dead, settled = Patience(self._stop), None, None
        while True:
            claim, found = self._claim(connection, options, dead, settled)
            if isinstance(found, TokenRequest):
                return self._carry_out(found)
            if isinstance(found, TokenRequestMark):
                # Whoever left this mark may have left TikTok's answer in a file.
                self.take_in(connection.name)
                settled = found
                continue
            if not found.sends:
                return without_sending(connection, claim.stored, found)
            if claim.holder is not None and is_dead(claim.holder):
                dead = claim.holder
                continue
            # Looked at each time: a token that works may end while another process is waited for.
            lifetime = options.still_asked(claim.stored).min_lifetime
            works = found.action == "refresh" and is_usable(
                claim.stored, self._store.now(), lifetime
            )
            if not patience.wait(PATIENCE_WITH_TOKEN if works else PATIENCE_WITHOUT_TOKEN):
                busy = TryAgainLater(
                    "another process has been renewing the token for long",
                    next_step="Run again later.",
                )
                decision = Decision("use" if works else "stop", busy)
                return without_sending(connection, claim.stored, decision)

    def _claim(
        self,
        connection: Connection,
        options: TokenOptions,
        dead: str | None,
        settled: TokenRequestMark | None,
    ) -> tuple[Claim, TokenRequest | TokenRequestMark | Decision]:
        """Take the lease, decide under it, and mark what is due as sent, in one transaction.

        *dead* is a holder that is gone, *settled* a mark that nobody has an answer for.

        Returns:
            The claim, with: the token request that is due, if the lease is held; the mark of an
            earlier request, to be settled first; else the decision for what is stored.
        """
        holder = self._leases.new_holder()
        found: TokenRequest | TokenRequestMark | Decision | None = None

        def prepare(before: StoredConnection | None) -> StoredConnection | None:
            nonlocal found
            if self._stop.is_set():
                raise Interrupted("told to stop")
            mark = before.attempt if before else None
            if mark is not None and mark.outcome != "refused" and mark != settled:
                found = mark
                return None
            stored = transitions.lost_answer(before) if before else None
            facts = self._registry.circumstances(connection, stored)
            found = decision = decide(stored, options, facts)
            if not decision.sends:
                return None
            due = TokenRequest(
                connection=connection,
                stored=stored or StoredConnection(connection.name, connection.api, ""),
                action=decision.action,
                holder=holder,
                key=facts.seed_key or "",
                sent_at=facts.now,
                seed_hash=facts.seed_hash,
                options=options,
                is_new=before is None,
                was_lost=before != stored,
            )
            if due.action == "refresh":
                # A refresh token belongs to the app and the token system that gave it.
                app = self._registry.app(connection, stored)
                owner = replace(connection, app=app, api=due.stored.api)
                due = replace(due, connection=owner, key=facts.refresh_key or "")
            found = due
            return due.marked

        with self._given_back(connection.name, holder):
            claim = self._store.claim(connection.name, holder, self._leases.ttl, prepare, dead=dead)
        if found is None or claim.outcome == "busy":
            facts = self._registry.circumstances(connection, claim.stored)
            found = decide(claim.stored, options, facts)
        return claim, found

    def _carry_out(self, due: TokenRequest) -> Credentials:
        """Send a token request once, and commit its answer."""
        name, api = due.connection.name, self._config.token_api(due.connection.api)
        with self._leases.kept(name, due.holder), self._given_back(name, due.holder):
            try:
                answer = send(
                    due,
                    self.client,
                    api,
                    lambda: self._leases.confirm(name, due.holder),
                    self._store.now,
                )
            except TikTokAuthError as error:
                return self._after_failure(due, transitions.explain_loss(due, error))
            response = answer.response
            teach(response.access_token, response.refresh_token)
            change = transitions.granted(
                due,
                response,
                answer.sent_at,
                self._store.fingerprint,
                obtained_by=answer.obtained_by,
                long_term=api.long_term,
                origin=network.origin_of(api.data_host),
            )
            pairs = tuple((advertiser_id, None) for advertiser_id in response.advertiser_ids)
            listing = AdvertiserListing(pairs, "token_response", complete=False) if pairs else None
            stored, is_ours = self._commit_answer(self._kept(due, change, listing))
        if response.unread:
            log.warning(
                "connection %s: TikTok's answer has an unusable %s; its token is kept. "
                "Check it with: tiktok-auth status %s --check",
                name,
                ", ".join(response.unread),
                name,
            )
        return Credentials(due.connection, stored, renewal=due.event if is_ours else None)

    def _commit_answer(self, answer: recovery.Answer) -> tuple[StoredConnection, bool]:
        """Commit a granted token; return what is stored then, and whether it is this one."""
        granted = answer.stored
        with recovery.kept(self._store, answer) as file:
            is_ours = self._commit(answer, file)
            current = granted if is_ours else self._store.read(granted.name)
            if current is not None and current.generation < granted.generation:
                behind = StoreUnavailable(
                    "an older state of the token store was restored meanwhile"
                )
                raise _kept_in(file, behind)
            if current is not None and current.status == "revoked":
                self.end(granted)
        if current is None:
            raise TryAgainLater("the connection was removed meanwhile", next_step="Run again.")
        if current.token is None:
            raise Revoked("its token was revoked meanwhile", next_step=LOGIN)
        return current, is_ours

    def _after_failure(self, due: TokenRequest, error: TikTokAuthError) -> Credentials:
        """Store what is to be known about a failure, then use the old token or give up."""
        if due.options.login:
            self._leave_as_it_was(due)
            raise error
        change = transitions.failed(due, error, self._store.now(), self._store.fingerprint)
        answer = self._kept(due, change)
        try:
            with recovery.kept(self._store, answer) as file:
                if not self._commit(answer, file):
                    current = self._store.read(due.stored.name)
                    newer = current is not None and current.generation > due.stored.generation
                    if current is not None and newer and current.token:
                        return Credentials(due.connection, current)  # of who took over
        except StoreError as failed:
            log.warning("%s", failed)
        # The clock is read again: a commit may have waited.
        if due.leaves_token(self._store.now()):
            return Credentials(due.connection, change.stored, error)
        raise error

    def _leave_as_it_was(self, due: TokenRequest) -> None:
        try:
            if due.is_new:
                self._store.forget(due.stored.name, due.holder)
            else:
                self._store.commit(due.stored, due.holder, before=due.marked)
        except StoreError as failed:
            log.warning("%s", failed)

    def _kept(
        self,
        due: TokenRequest,
        change: transitions.Change,
        listing: AdvertiserListing | None = None,
    ) -> recovery.Answer:
        """Return a change with all that its commit, now or later, needs."""
        token = due.stored.token
        return recovery.Answer(
            stored=change.stored,
            before=due.marked,
            holder=due.holder,
            follows=self._store.fingerprint(token.access_token) if token else None,
            events=change.events,
            sighting=listing,
        )

    def _commit(self, answer: recovery.Answer, file: Path | None) -> bool:
        """Have the store take an answer; nothing may use it before.

        Raises:
            StoreError: The store does not take it. Who was told to stop does not wait for that, if
                the answer is safe in a file.
        """
        waits = iter(COMMIT_RETRIES)
        stop = self._stop if file else Stop()
        while True:
            try:
                return answer.commit(
                    self._store, patience=COMMIT_PATIENCE if file else LAST_PATIENCE
                )
            except StoreError as error:
                wait = next(waits, None)
                if wait is None or stop.is_set():
                    raise _kept_in(file, error) from None
                log.warning("%s. Storing TikTok's answer again in %.1f s.", error.cause, wait)
                stop.wait(wait)

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

    # What earlier processes could not store

    def take_in(self, name: str | None = None) -> None:
        """Store the answers in recovery files, before anything is sent.

        Asked for whenever the stored token is not simply used. Who comes while another thread
        looks waits, and is served by a look that began after that.

        Args:
            name: A connection that nobody holds the lease of: what a paused process has left of
                it is taken in, too.

        Raises:
            StoreError: The store does not answer.
        """
        asked = time.monotonic()
        with self._looking.held():
            if name is None and self._looked_at >= asked:
                return
            began = time.monotonic()
            recovery.take_in(self._store, self.end, name=name)
            self._looked_at = began

    # Ending

    def revoke(self, connection: Connection) -> StoredConnection:
        """Revoke a connection's token at TikTok and forget its secrets; the row stays.

        A token that another process gets meanwhile is revoked too, here or by that process.

        Raises:
            TikTokAuthError: There is no token, TikTok refuses, or the store fails.
        """
        with deferred(self._stop):
            while True:
                stored = self._store.read(connection.name)
                if stored is None:
                    raise AuthorizationRequired("it has no token to revoke")
                self._revoke_at_tiktok(connection, stored)
                change = transitions.revoked(stored, self._store.fingerprint)
                if self._store.commit(change.stored, None, before=stored, events=change.events):
                    return change.stored

    def end(self, granted: StoredConnection) -> None:
        """Revoke a token that TikTok granted while a person revoked its connection.

        The seed that it was granted for is used up, which the revoked row has to know.

        Raises:
            TikTokAuthError: TikTok could not be told, or the store fails.
        """
        self._revoke_at_tiktok(self._registry.connection(granted.name), granted)
        current = self._store.read(granted.name)
        if current is not None and current.status == "revoked":
            spent = replace(current, spent_seeds=granted.spent_seeds)
            self._store.commit(spent, None, before=current)

    def _revoke_at_tiktok(self, connection: Connection, stored: StoredConnection) -> None:
        if stored.token is None:
            raise AuthorizationRequired("it has no token to revoke")
        self._registry.refuse_other_host(stored)
        owner = replace(connection, api=stored.api, app=self._registry.app(connection, stored))
        api = self._config.token_api(owner.api)
        self.client.fetch(api.revoke(need_app(owner), stored.token.access_token), api.read_revoked)

    def forget(self, name: str) -> bool:
        """Delete a connection, with its recovery files, once nobody renews it.

        Returns:
            Whether there was one.

        Raises:
            TryAgainLater: Its holder does not come to an end.
        """
        with deferred(self._stop):
            was_there = self._forget(name)
            recovery.forget(self._store, name)
            return was_there

    def _forget(self, name: str) -> bool:
        patience, dead, holder = Patience(self._stop), None, self._leases.new_holder()
        while True:
            try:
                claim = self._store.claim(
                    name, holder, self._leases.ttl, lambda stored: stored, dead=dead
                )
            except StoreDamaged:
                return self._store.forget(name)  # nobody can renew it
            if claim.outcome != "busy":
                return claim.outcome == "held" and self._store.forget(name, holder)
            if claim.holder is not None and is_dead(claim.holder):
                dead = claim.holder
            elif not patience.wait(self._leases.ttl):
                raise TryAgainLater("another process renews its token", next_step="Run again.")


def _kept_in(file: Path | None, error: StoreError) -> StoreUnavailable:
    if file is None:
        return StoreUnavailable(
            f"{error.cause}, and no folder takes a recovery file for TikTok's answer",
            next_step="Fix the store, then run: tiktok-auth login {connection}",
        )
    return StoreUnavailable(
        f"{error.cause}; TikTok's answer is kept, encrypted, in {file}",
        next_step="Fix the store; the next run takes the file in.",
    )
