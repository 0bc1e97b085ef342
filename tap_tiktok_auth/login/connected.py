"""Once there is a code or a token: start the chain, and find out who it speaks for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_tiktok_auth import checks
from tap_tiktok_auth.errors import TikTokAuthError

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.base import Account, Identity
    from tap_tiktok_auth.broker import Broker
    from tap_tiktok_auth.checks import Report
    from tap_tiktok_auth.connections import Connection
    from tap_tiktok_auth.records import Record, SeenAdvertiser
    from tap_tiktok_auth.store import Store


@dataclass(frozen=True)
class Standing:
    """What the store has of a connection at one moment.

    Attributes:
        record: The connection; None if there is none.
        advertisers: The ad accounts that it has.
    """

    record: Record | None
    advertisers: tuple[SeenAdvertiser, ...] = ()


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
    report: Report
    account: Account | None
    now: float


def connect(broker: Broker, connection: Connection) -> Connected:
    """Start a new chain from the connection's seed and ask TikTok who it speaks for.

    A failure leaves an existing connection as it was. Once the token is stored nothing fails any
    more: what TikTok does not tell is left out.

    Raises:
        TikTokAuthError: TikTok refuses the seed, or the store fails.
    """
    name = connection.name
    before = standing(broker.store, name)
    told: dict[str, Identity] = {}
    broker.start(connection, remember=broker.config.connection(name), told=told.__setitem__)
    report = checks.check(broker, broker.connection(name), told=told)
    return Connected(
        name,
        before,
        standing(broker.store, name),
        report,
        _account(broker, report),
        broker.store.now(),
    )


def standing(store: Store, name: str) -> Standing:
    """Return what the store has of a connection now."""
    granted = (seen for seen in store.advertisers(name) if seen.lost_at is None)
    return Standing(store.read(name), tuple(granted))


def _account(broker: Broker, report: Report) -> Account | None:
    from tap_tiktok_auth.extraction import tiktok_account  # noqa: PLC0415  (imports all apis)

    try:
        return tiktok_account(broker, report)
    except TikTokAuthError:
        return None
