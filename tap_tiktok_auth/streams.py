"""The streams: what the connections are, and what they grant."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import asdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import Stream

from tap_tiktok_auth import schemas
from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.platforms import BUSINESS
from tap_tiktok_auth.errors import ConfigurationError, StoreError, TikTokAuthError
from tap_tiktok_auth.extraction import (
    NotOffered,
    advertiser_details,
    marketplace_accounts,
    tiktok_account,
)
from tap_tiktok_auth.metadata import token_event, token_metadata
from tap_tiktok_auth.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from singer_sdk.helpers.types import Context

    from tap_tiktok_auth.credentials.checks import CheckResult
    from tap_tiktok_auth.tap import TapTikTokAuth


_EVENT_ID_DIGITS = 16


class ConnectionStream(Stream):
    """A stream whose records come from the run's connections."""

    tap: TapTikTokAuth

    def __init__(self, tap: TapTikTokAuth) -> None:
        super().__init__(tap)
        self.tap = tap

    def get_records(self, context: Context | None) -> Iterator[dict[str, Any]]:
        """Return the records of all connections; one that fails does not end the others."""
        del context
        for report in self.tap.reports:
            try:
                yield from self.records_of(report)
            except TikTokAuthError as error:
                self.tap.note_failure(error.of(report.connection.name))

    @abstractmethod
    def records_of(self, report: CheckResult) -> Iterable[dict[str, Any]]:
        """Return the records of one connection."""


class AdvertiserIds(ConnectionStream):
    """Which ad accounts each connection has or had."""

    name = "advertiser_ids"
    primary_keys: ClassVar[tuple[str, ...]] = ("connection", "advertiser_id")
    schema: ClassVar[dict[str, Any]] = schemas.ADVERTISER_IDS

    def records_of(self, report: CheckResult) -> Iterator[dict[str, Any]]:
        connection = report.connection
        app_id = report.record.app_id if report.record else None
        # Most ad accounts were seen at the same few moments.
        as_text = lru_cache(maxsize=64)(rfc3339)
        for seen in self.tap.advertisers(report):
            yield {
                "connection": connection.name,
                "api": connection.api,
                "app_id": app_id,
                "advertiser_id": seen.advertiser_id,
                "advertiser_name": seen.name,
                "access": "granted" if seen.lost_at is None else "lost",
                "source": seen.source,
                "first_seen_at": as_text(seen.first_seen_at),
                "last_seen_at": as_text(seen.last_seen_at),
                "lost_at": as_text(seen.lost_at),
            }


class TokenMetadata(ConnectionStream):
    """How each connection and its token are."""

    name = "token_metadata"
    primary_keys: ClassVar[tuple[str, ...]] = ("connection",)
    schema: ClassVar[dict[str, Any]] = schemas.TOKEN_METADATA

    def records_of(self, report: CheckResult) -> Iterator[dict[str, Any]]:
        yield token_metadata(report, self.tap.manager)


class Advertisers(ConnectionStream):
    """Details of the ad accounts, without personal data."""

    name = "advertisers"
    primary_keys: ClassVar[tuple[str, ...]] = ("connection", "advertiser_id")
    schema: ClassVar[dict[str, Any]] = schemas.ADVERTISERS

    def records_of(self, report: CheckResult) -> Iterator[dict[str, Any]]:
        if report.held is None or not APIS[report.connection.api].has_advertisers:
            return
        ids = [seen.advertiser_id for seen in self.tap.advertisers(report) if not seen.lost_at]
        try:
            for details in advertiser_details(self.tap.manager, report.held, ids):
                yield {"connection": report.connection.name, **details}
        except NotOffered as error:
            self.logger.warning("%s The stream %s is left out for it.", error, self.name)


class TikTokAccounts(ConnectionStream):
    """Who the tokens of TikTok accounts speak for."""

    name = "tiktok_accounts"
    primary_keys: ClassVar[tuple[str, ...]] = ("connection",)
    schema: ClassVar[dict[str, Any]] = schemas.TIKTOK_ACCOUNTS

    def records_of(self, report: CheckResult) -> Iterator[dict[str, Any]]:
        connection = report.connection
        account = tiktok_account(self.tap.manager, report)
        is_business = APIS.platform(connection.api) is BUSINESS
        if account is not None:
            yield {
                "connection": connection.name,
                "api": connection.api,
                "open_id": account.open_id,
                "business_id": account.open_id if is_business else None,
                "union_id": account.union_id,
                "username": account.username,
                "display_name": account.display_name,
            }


class CreatorMarketplaceAccounts(ConnectionStream):
    """The Creator Marketplace accounts that brands granted."""

    name = "creator_marketplace_accounts"
    primary_keys: ClassVar[tuple[str, ...]] = ("connection", "tto_tcm_account_id")
    schema: ClassVar[dict[str, Any]] = schemas.CREATOR_MARKETPLACE_ACCOUNTS

    def records_of(self, report: CheckResult) -> Iterator[dict[str, Any]]:
        if report.held is None:
            return
        for account in marketplace_accounts(self.tap.manager, report.held, report.account_ids):
            yield {"connection": report.connection.name, **asdict(account)}


class TokenEvents(Stream):
    """The audit trail, in the order in which it was written."""

    name = "token_events"
    primary_keys: ClassVar[tuple[str, ...]] = ("event_id",)
    replication_key = "event_id"
    is_sorted = True
    schema: ClassVar[dict[str, Any]] = schemas.TOKEN_EVENTS

    tap: TapTikTokAuth

    def __init__(self, tap: TapTikTokAuth) -> None:
        super().__init__(tap)
        self.tap = tap

    def get_records(self, context: Context | None) -> Iterator[dict[str, Any]]:
        """Return the events after those of former runs, this run's own included.

        A store that fails in the midst ends the stream: the next run goes on after its last event.
        """
        after = self._last_event_id(context)
        try:
            left_out = self.tap.names_of_others()
            for stored in self.tap.manager.store.events(after=after):
                if stored.event.connection not in left_out:
                    yield token_event(stored)
        except StoreError as error:
            self.tap.note_failure(error)

    def _last_event_id(self, context: Context | None) -> int | None:
        value = self.get_starting_replication_key_value(context)
        return None if value is None else event_id(value)


def event_id(bookmark: object) -> int:
    """Return the event id that a bookmark of the stream `token_events` is.

    Raises:
        ConfigurationError: It is none.
    """
    text = str(bookmark)
    if not (text.isascii() and text.isdigit() and len(text) <= _EVENT_ID_DIGITS):
        raise ConfigurationError(
            "the state's bookmark of the stream token_events is no event id",
            next_step="Correct the state, or remove the bookmark to load all events again.",
        )
    return int(text)


ALL: tuple[type[ConnectionStream | TokenEvents], ...] = (
    AdvertiserIds,
    TokenMetadata,
    Advertisers,
    TikTokAccounts,
    CreatorMarketplaceAccounts,
    TokenEvents,
)
