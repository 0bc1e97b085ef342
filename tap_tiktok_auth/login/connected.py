"""Once there is a code or a token: start the chain, and find out who it speaks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_tiktok_auth.credentials import checks
from tap_tiktok_auth.errors import AuthorizationRequired, TikTokAuthError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.apis.base import Account, Identity, TokenResponse
    from tap_tiktok_auth.config.models import Connection
    from tap_tiktok_auth.credentials.checks import CheckResult
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import AdvertiserAccess, StoredConnection
    from tap_tiktok_auth.store import Store


@dataclass(frozen=True)
class Party:
    """Who authorised, as far as TikTok tells.

    Attributes:
        api: The token system.
        app_id: The app that was allowed.
        subjects: The ids of the accounts; TikTok gives each app its own of the same account.
        advertisers: The ids of the ad accounts.
        silence: Why TikTok did not tell, if it was asked.
    """

    api: str
    app_id: str
    subjects: frozenset[str]
    advertisers: frozenset[str]
    silence: TikTokAuthError | None = None

    @property
    def ids(self) -> frozenset[str]:
        """All the ids."""
        return self.subjects | self.advertisers

    def __str__(self) -> str:
        """Return it for a person."""
        named, more = sorted(self.ids)[:3], len(self.ids) - 3
        rest = f" and {more} more" if more > 0 else ""
        return (
            f"account {', '.join(named)}{rest}" if named else "an account that TikTok does not name"
        )


@dataclass(frozen=True)
class Standing:
    """What the store has of a connection at one moment.

    Attributes:
        record: The connection; None if there is none.
        advertisers: The ad accounts that it has.
    """

    record: StoredConnection | None
    advertisers: tuple[AdvertiserAccess, ...] = ()

    def differs_from(self, came: Party) -> str | None:
        """Say by what one can tell that another person or company has authorised since.

        Ids of accounts are compared within one app alone.

        Returns:
            The difference, or None if there is none or nothing to compare.
        """
        old = self.record
        if old is None or old.api != came.api:
            return None
        new = came.subjects if old.app_id == came.app_id else frozenset()
        if old.subject_id and new and old.subject_id not in new:
            return f"account {old.subject_id} then, {', '.join(sorted(new))} now"
        before = {seen.advertiser_id for seen in self.advertisers}
        if before and came.advertisers and not before & came.advertisers:
            return "none of the ad accounts is among those it had"
        if came.silence is not None and (old.subject_id or before):
            return f"TikTok does not tell who it is ({came.silence.cause})"
        return None


@dataclass(frozen=True)
class Connected:
    """A login that went well.

    Attributes:
        name: The connection.
        before: What there was of it before.
        after: What there is now.
        report: What TikTok says about the new token.
        account: The TikTok account it speaks for, as far as known.
        now: When it was finished, seconds since the epoch.
    """

    name: str
    before: Standing
    after: Standing
    report: CheckResult
    account: Account | None
    now: float


def connect(
    manager: TokenManager,
    connection: Connection,
    *,
    expect: str | None = None,
    confirm: Callable[[str], bool] | None = None,
) -> Connected:
    """Start a new chain from the connection's seed and ask TikTok who it speaks for.

    A failure leaves an existing connection as it was. Once the token is stored nothing fails any
    more: what TikTok does not tell is left out.

    Args:
        manager: The manager.
        connection: The connection, with the seed.
        expect: The account or ad account that must have authorised.
        confirm: Asks the person, before anything is stored, whether somebody else than before may
            have the connection; None if nobody can be asked.

    Raises:
        TikTokAuthError: TikTok refuses the seed, someone else authorised, or the store fails.
    """
    name = connection.name
    before = standing(manager.store, name)
    told: dict[str, Identity] = {}

    def approve(grant: TokenResponse) -> None:
        """Look at who authorised."""
        seed = connection.seed
        # A refresh token that was used up to find that out would be lost.
        used_up = (
            seed is not None and seed.refresh_token and grant.access_token != seed.access_token
        )
        if expect is None and (before.record is None or used_up):
            return
        came = _who(manager, connection, grant, told)
        if expect is not None:
            if expect not in came.ids:
                raise _not_kept(f"{came} authorised, and not the one that --expect names")
            return
        other = before.differs_from(came)
        would, did = ("may", "may have ") if came.silence else ("would", "")
        if other and not (
            confirm and confirm(f"{name} {would} belong to someone else: {other}. Go on?")
        ):
            raise _not_kept(f"someone else {did}authorised than before: {other}")

    remember = manager.config.connection(name)
    manager.log_in(connection, remember=remember, approve=approve, confirmed=told.__setitem__)
    report = checks.check(manager, manager.connection(name), told=told)
    return Connected(
        name,
        before,
        standing(manager.store, name),
        report,
        _account(manager, report),
        manager.store.now(),
    )


def _not_kept(cause: str) -> AuthorizationRequired:
    return AuthorizationRequired(
        f"{cause}; the connection is as it was, and the new token was kept nowhere",
        next_step="Log in as the right account, give that one a NAME of its own, or allow it with "
        "--expect and its id.",
    )


def standing(store: Store, name: str) -> Standing:
    """Return what the store has of a connection now."""
    granted = (seen for seen in store.advertisers(name) if seen.lost_at is None)
    return Standing(store.read(name), tuple(granted))


def _who(
    manager: TokenManager, connection: Connection, grant: TokenResponse, told: dict[str, Identity]
) -> Party:
    """Return who authorised, as far as TikTok tells; what it has to be asked is put into *told*."""
    subjects, advertisers, silence = {grant.subject_id}, set(grant.advertiser_ids), None
    if grant.subject_id is None:
        api, token = manager.api(connection), grant.access_token
        try:
            if token not in told:
                told[token] = manager.client.fetch(api.verify(connection, token), api.read_identity)
            subjects = {told[token].subject_id, *told[token].account_ids}
            advertisers |= {advertiser_id for advertiser_id, _ in told[token].advertisers or ()}
        except TikTokAuthError as error:
            silence = error
    app_id = connection.app.app_id if connection.app else ""
    return Party(
        connection.api,
        app_id,
        frozenset(filter(None, subjects)),
        frozenset(advertisers),
        silence,
    )


def _account(manager: TokenManager, report: CheckResult) -> Account | None:
    from tap_tiktok_auth.metadata import tiktok_account  # noqa: PLC0415  (imports all apis)

    try:
        return tiktok_account(manager, report)
    except TikTokAuthError:
        return None
