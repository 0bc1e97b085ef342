"""Thousands of made-up histories of a connection, against the rules of a token's life.

Whatever people configure, whatever TikTok answers and wherever a process ends: a credential that
TikTok has taken or refused is never sent again, and what is stored makes sense.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tap_tiktok_auth.apis.base import Identity, TokenResponse
from tap_tiktok_auth.config.models import Connection
from tap_tiktok_auth.credentials import lifecycle, transitions
from tap_tiktok_auth.credentials.lifecycle import Circumstances, TokenOptions
from tap_tiktok_auth.credentials.models import StoredConnection
from tap_tiktok_auth.credentials.transitions import TokenRequest
from tap_tiktok_auth.errors import AccessTokenRejected, TikTokAuthError
from tests.credentials.rotating import FATES, LIFE, Killed, Rotating

if TYPE_CHECKING:
    from tap_tiktok_auth.config.models import SeedKind
    from tap_tiktok_auth.credentials.lifecycle import Decision
    from tap_tiktok_auth.credentials.models import ObtainedBy

MARGIN = 1800.0
CONNECTION = Connection("acme", "accounts")
#: A seed: its kind, and its credentials.
Seed = tuple["SeedKind", tuple[str, ...]]
FATE = st.sampled_from((*FATES, *["answered"] * 6))


class History(RuleBasedStateMachine):
    """One connection, one config, one TikTok, and time."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 1_800_000_000.0
        self.tiktok = Rotating()
        self.record: StoredConnection | None = None
        self.seed: Seed | None = None
        self.seeds: list[Seed] = []
        self.chain_starts: list[str] = []

    @initialize(rotates=st.booleans())
    def begin(self, *, rotates: bool) -> None:
        """Choose whether refreshing brings new refresh tokens."""
        self.tiktok.rotates = rotates

    # What people do

    @rule(kind=st.sampled_from(["auth_code", "refresh_token", "access_and_refresh_token"]))
    def configure(self, kind: SeedKind) -> None:
        """Put a seed of a new consent into the config."""
        credential = self.tiktok.grant_consent(
            "code" if kind == "auth_code" else "refresh", self.now
        )
        credentials: tuple[str, ...] = (credential,)
        if kind == "access_and_refresh_token":
            token = self.tiktok.new("access")
            self.tiktok.access[token] = self.now + LIFE
            credentials = (credential, token)
        self.seed = (kind, credentials)
        self.seeds.append(self.seed)

    @precondition(lambda self: self.seeds)
    @rule(data=st.data())
    def put_an_old_seed_back(self, data: st.DataObject) -> None:
        """Restore an older config."""
        self.seed = data.draw(st.sampled_from(self.seeds))

    @rule()
    def remove_the_seed(self) -> None:
        """Empty the config."""
        self.seed = None

    @rule(fate=FATE)
    def log_in(self, fate: str) -> None:
        """Authorise anew at the command line; what the config has counts as taken then."""
        code = self.tiktok.grant_consent("code", self.now)
        record = self.record or StoredConnection("acme", "accounts", "")
        options = TokenOptions(login=True, configured_seed_hash=_hash(self.seed))
        due = TokenRequest(CONNECTION, record, "exchange", key=code, options=options)
        self.store(due.marked)
        try:
            grant = self.tiktok.post(code, self.now, fate)
        except Killed:
            return
        except TikTokAuthError:
            self.store(record)
            return
        self.granted(due, grant, "login")

    @precondition(lambda self: self.record is not None and self.record.token is not None)
    @rule()
    def revoke(self) -> None:
        """End the chain by command."""
        assert self.record is not None
        self.store(transitions.revoked(self.record, str).stored)

    # What TikTok and time do

    @rule(seconds=st.sampled_from([60, LIFE // 2, LIFE - 900, LIFE + 60, 30 * LIFE]))
    def wait(self, seconds: int) -> None:
        """Let time pass."""
        self.now += seconds

    @rule()
    def withdraw(self) -> None:
        """Let the user withdraw all consents at TikTok."""
        self.tiktok.alive.clear()
        self.tiktok.access.clear()

    # What a run does

    @rule(fate=FATE, force=st.booleans())
    def run(self, fate: str, *, force: bool) -> None:
        """Have a fresh token, and let TikTok confirm it."""
        force = force and fate == "answered" and self.may_force()
        step = self.get_token(fate, force=force)
        if step is None or step.action == "stop":
            return
        self.verify(fate)

    def may_force(self) -> bool:
        """Force only what TikTok has neither taken nor refused: a person may do otherwise."""
        record = self.record
        if record is None or record.token is None or record.attempt is not None:
            return False
        return not lifecycle.starts_new_chain(record, self.facts(record))

    def verify(self, fate: str) -> None:
        """Ask TikTok about the token; if it refuses, renew once and ask again."""
        for last in (False, True):
            assert self.record is not None
            assert self.record.token is not None
            try:
                self.tiktok.verify(self.record.token.access_token, self.now)
            except AccessTokenRejected as rejection:
                renewable = lifecycle.can_renew(self.record, self.now)
                self.store(transitions.rejected(self.record, rejection, self.now, str).stored)
                if last or not renewable:
                    return
                step = self.get_token(fate)
                if step is None or step.action == "stop":
                    return
            else:
                confirmed = transitions.confirmed(self.record, Identity(), self.now, str)
                self.store(confirmed.stored)
                assert self.record.status not in {"reauthorization_required", "pending"}
                return

    def get_token(self, fate: str, *, force: bool = False) -> Decision | None:
        """Do what is due; None if the process was killed or no token was had."""
        before = len(self.tiktok.posts)
        found = transitions.lost_answer(self.record) if self.record else None
        facts = self.facts(found)
        step = lifecycle.decide(found, TokenOptions(recheck=True, force=force), facts)
        if not step.sends:
            if step.action == "use":
                assert self.record is not None
                assert self.record.token is not None
                assert self.record.token.state(self.now, 0) != "expired"
            elif self.record is not None and step.error is not None:
                self.store(transitions.stopped(self.record, step.error, self.now, str).stored)
            return step
        found = found or StoredConnection("acme", "accounts", "")
        key = (facts.refresh_key if step.action == "refresh" else facts.seed_key) or ""
        due = TokenRequest(
            CONNECTION, found, step.action, key=key, sent_at=self.now, seed_hash=facts.seed_hash
        )
        self.store(due.marked)
        try:
            self.carry_out(due, fate)
        except Killed:
            return None
        except TikTokAuthError as error:
            error = transitions.explain_loss(due, error)
            self.store(transitions.failed(due, error, self.now, str).stored)
            return step if due.leaves_token(self.now) else None
        finally:
            assert len(self.tiktok.posts) <= before + 1
        return step

    def carry_out(self, due: TokenRequest, fate: str) -> None:
        """Send one request and store what it brings."""
        if due.action == "refresh":
            assert due.stored.token is not None
            assert due.stored.token.refresh_token is not None
            self.granted(due, self.post(due.stored.token.refresh_token, fate), None)
            return
        assert self.seed is not None
        kind, credentials = self.seed
        assert due.seed_hash != due.stored.seed_hash, "an unchanged seed starts no second chain"
        if kind == "access_and_refresh_token":
            refresh_token, access_token = credentials
            if self.tiktok.access.get(access_token, 0) > self.now:
                self.granted(due, TokenResponse(access_token, refresh_token), "access_token")
                return
        response = self.post(credentials[0], fate)
        by: ObtainedBy = "auth_code" if kind == "auth_code" else "refresh_token"
        if by == "refresh_token" and response.refresh_token is None:
            response = replace(response, refresh_token=credentials[0])
        self.granted(due, response, by)

    def granted(self, due: TokenRequest, response: TokenResponse, by: ObtainedBy | None) -> None:
        """Store a token that TikTok granted."""
        change = transitions.granted(due, response, self.now, str, obtained_by=by)
        self.store(change.stored)

    def post(self, credential: str, fate: str) -> TokenResponse:
        """Send a credential that must not have been taken or refused before."""
        assert credential not in self.tiktok.taken, "sent a credential that was taken"
        assert credential not in self.tiktok.refused, "sent a credential that was refused"
        return self.tiktok.post(credential, self.now, fate)

    def facts(self, record: StoredConnection | None) -> Circumstances:
        """Return what a run's decision depends on."""
        refresh = record.token.refresh_token if record and record.token else None
        return Circumstances(
            now=self.now,
            margin=MARGIN,
            seed_kind=self.seed[0] if self.seed else None,
            seed_hash=_hash(self.seed),
            seed_key=f"seed {_hash(self.seed)}" if self.seed else None,
            refresh_key=f"refresh {refresh}" if refresh else None,
        )

    def store(self, record: StoredConnection) -> None:
        """Store a record; tokens only ever give way to those of the next generation."""
        before = self.record
        if before is not None and _access(before) != _access(record):
            assert record.generation == before.generation + 1
        if before is not None:
            assert record.generation >= before.generation
            assert set(before.spent_seeds) <= set(record.spent_seeds)
        self.record = record

    # What always holds

    @invariant()
    def status_and_token_agree(self) -> None:
        """Each status says something true about the token beside it."""
        record = self.record
        if record is None:
            return
        outcome = record.attempt.outcome if record.attempt else None
        if record.status == "active":
            assert record.token is not None
        if record.status == "revoked" and outcome != "sent":
            assert record.token is None
        if record.status == "unconfirmed" and outcome != "sent":
            assert outcome == "unconfirmed"
        if record.status == "refresh_failing":
            assert record.token is not None
            assert record.failure is not None
        if record.status == "reauthorization_required":
            assert record.failure is not None

    @invariant()
    def a_token_that_was_granted_is_not_lost(self) -> None:
        """The refresh token of the last answer that arrived is the one that is stored."""
        record = self.record
        if record is not None and record.token is not None and record.token.refresh_token:
            assert record.token.refresh_token not in self.tiktok.taken


def _hash(seed: Seed | None) -> str | None:
    return f"{seed[0]}:{':'.join(seed[1])}" if seed else None


def _access(record: StoredConnection) -> str | None:
    return record.token.access_token if record.token else None


TestHistories = History.TestCase
TestHistories.settings = settings(
    max_examples=150, stateful_step_count=30, deadline=None, derandomize=True
)
