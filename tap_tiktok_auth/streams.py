"""The streams: each with its schema, and with the records that the run's connections give.

Ids are texts, times are UTC and RFC 3339, nothing is a secret.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from contextlib import ExitStack
from dataclasses import asdict
from functools import cached_property, lru_cache, partial
from typing import TYPE_CHECKING, Any, ClassVar, cast, get_args

from singer_sdk import Stream
from singer_sdk import typing as th

from tap_tiktok_auth import metadata
from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.creator_marketplace import CreatorMarketplaceApi
from tap_tiktok_auth.apis.marketing import (
    ADVERTISER_INFO_BATCH,
    MarketingApi,
)
from tap_tiktok_auth.apis.platforms import BUSINESS
from tap_tiktok_auth.credentials.checks import check_all
from tap_tiktok_auth.credentials.data_calls import call
from tap_tiktok_auth.credentials.models import Status, TokenState
from tap_tiktok_auth.errors import (
    ConfigurationError,
    PermissionMissing,
    RequestRefused,
    Revoked,
    StoreError,
    TikTokAuthError,
    TryAgainLater,
)
from tap_tiktok_auth.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from singer_sdk import Tap
    from singer_sdk.helpers.types import Context

    from tap_tiktok_auth.credentials.checks import CheckResult
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import AdvertiserAccess, Credentials

_EVENT_ID_DIGITS = 16
_TOO_MANY_IDS = "40011"
#: The sandbox does not have the endpoint, the parameter or the account.
_NOT_IN_SANDBOX = {"40008", "40009", "40013", "40014"}

# Most ad accounts were seen at the same few moments.
_as_text = lru_cache(maxsize=256)(rfc3339)


class Extraction:
    """One run over the connections: their tokens first, then their records.

    Attributes:
        failed: What went wrong, by connection; '' where it is no connection's fault.
    """

    def __init__(
        self,
        open_session: Callable[[], AbstractContextManager[TokenManager]],
        logger: logging.Logger,
    ) -> None:
        self.failed: dict[str, TikTokAuthError] = {}
        self._open_session = open_session
        self._opened = ExitStack()
        self._logger = logger

    @cached_property
    def manager(self) -> TokenManager:
        """The token manager, over an open store."""
        return self._opened.enter_context(self._open_session())

    @cached_property
    def results(self) -> list[CheckResult]:
        """How all connections are, with every token of the run renewed and committed.

        The first stream that is read asks for this, so it is done before the first record.

        Raises:
            TikTokAuthError: There is no connection, or the store cannot be used.
        """
        wanted = self.manager.connections()
        self._logger.info("Connections to look after: %d.", len(wanted))
        results = check_all(self.manager, wanted, done=self._report)
        ended = sum(isinstance(result.error, Revoked) for result in results)
        well = len(wanted) - len(self.failed) - ended
        self._logger.info("Connections with a working token: %d of %d.", well, len(wanted))
        if ended == len(wanted):
            self._logger.warning("All connections were revoked: only their rows are loaded.")
        return results

    def _report(self, result: CheckResult) -> None:
        for warning in result.warnings:
            self._logger.warning("%s", warning)
        if result.error is not None:
            self.note_failure(result.error)

    def note_failure(self, error: TikTokAuthError) -> None:
        """Log that a connection failed; the run goes on and ends as `on_error` says.

        What a person ended on purpose is no failure.
        """
        if isinstance(error, Revoked):
            self._logger.info("%s", error)
            return
        self.failed.setdefault(error.connection or "", error)
        fails = self.manager.config.on_error == "fail"
        self._logger.log(logging.ERROR if fails else logging.WARNING, "%s", error)

    def advertisers(self, result: CheckResult) -> Iterator[AdvertiserAccess]:
        """Return the ad accounts of a connection.

        Of one that needs a person nothing is granted now. Of one that has trouble that passes, what
        was last seen is emitted, with its time.
        """
        if result.stored is None or not isinstance(result.error, TryAgainLater | None):
            return iter(())
        return metadata.advertisers(result, self.manager)

    def close(self) -> None:
        """Close the store and the connections to TikTok, if they were opened."""
        self._opened.close()


def _text(name: str, description: str, *choices: str) -> th.Property[str]:
    # Targets check records by the schema, where an enumeration without null refuses null.
    allowed = cast("list[str]", [*choices, None]) if choices else None
    return th.Property(name, th.StringType, description=description, allowed_values=allowed)


def _time(name: str, description: str) -> th.Property[str]:
    return th.Property(name, th.DateTimeType, description=description)


def _count(name: str, description: str) -> th.Property[int]:
    return th.Property(name, th.IntegerType, description=description)


def _key(name: str, description: str) -> th.Property[str]:
    return th.Property(name, th.StringType(nullable=False), required=True, description=description)


def _schema(*properties: th.Property[Any]) -> dict[str, Any]:
    return th.PropertiesList(*properties).to_dict()


_CONNECTION = _key("connection", "The connection's name.")
_API = _text("api", "TikTok's token system.")
_APP_ID = _text("app_id", "The app's id or client key.")
_REQUEST_ID = _text("request_id", "TikTok's id of the call.")


class _RunStream(Stream):
    """A stream of the run.

    Args:
        tap: The tap.
        extraction: The run.
    """

    def __init__(self, tap: Tap, extraction: Extraction) -> None:
        super().__init__(tap)
        self._run = extraction


class ConnectionStream(_RunStream):
    """A stream whose records come from the run's connections."""

    def get_records(self, context: Context | None) -> Iterator[dict[str, Any]]:
        """Return the records of all connections; one that fails does not end the others."""
        del context
        for result in self._run.results:
            try:
                yield from self.records_of(result)
            except TikTokAuthError as error:
                self._run.note_failure(error.of(result.connection.name))

    @abstractmethod
    def records_of(self, result: CheckResult) -> Iterable[dict[str, Any]]:
        """Return the records of one connection."""


class AdvertiserIds(ConnectionStream):
    """Which ad accounts each connection has or had."""

    name = "advertiser_ids"
    primary_keys: ClassVar[tuple[str, ...]] = ("connection", "advertiser_id")
    schema: ClassVar[dict[str, Any]] = _schema(
        _CONNECTION,
        _API,
        _APP_ID,
        _key("advertiser_id", "The ad account."),
        _text("advertiser_name", "Its name."),
        _text("access", "Whether the connection has it now.", "granted", "lost"),
        _text("source", "Who told.", "advertiser_get", "token_response", "config"),
        _time("first_seen_at", "When it was first granted."),
        _time("last_seen_at", "When it was last seen granted."),
        _time("lost_at", "When it was found lost."),
    )

    def records_of(self, result: CheckResult) -> Iterator[dict[str, Any]]:
        for access in self._run.advertisers(result):
            yield {
                "connection": result.connection.name,
                "api": result.connection.api,
                "app_id": result.stored.app_id if result.stored else None,
                "advertiser_id": access.advertiser_id,
                "advertiser_name": access.name,
                "access": "granted" if access.lost_at is None else "lost",
                "source": access.source,
                "first_seen_at": _as_text(access.first_seen_at),
                "last_seen_at": _as_text(access.last_seen_at),
                "lost_at": _as_text(access.lost_at),
            }


class TokenMetadata(ConnectionStream):
    """How each connection and its token are."""

    name = "token_metadata"
    primary_keys: ClassVar[tuple[str, ...]] = ("connection",)
    schema: ClassVar[dict[str, Any]] = _schema(
        _CONNECTION,
        _API,
        _APP_ID,
        _text("status", "How the connection is.", *get_args(Status)),
        _text("token_state", "Whether the token works.", *get_args(TokenState)),
        _text("token_fingerprint", "16 hex digits of a keyed hash of the access token."),
        _text("token_lifetime", "Whether the token expires.", "long_term", "short_term"),
        th.Property("refreshable", th.BooleanType, description="Whether there is a refresh token."),
        _text("subject_id", "Whom the token speaks for."),
        th.Property(
            "scopes", th.ArrayType(th.StringType), description="What the token may do, sorted."
        ),
        _count("advertiser_count", "How many ad accounts are granted."),
        _text("obtained_by", "How the chain of tokens started."),
        _time("issued_at", "When the token was asked for."),
        _time("access_token_expires_at", "When the access token ends."),
        _time("refresh_token_expires_at", "When the refresh token ends."),
        _time("consent_deadline", "When a person must authorise again."),
        _count(
            "consent_days_left",
            "Days until that date, in UTC; 0 on the last day and once it has ended.",
        ),
        _time("last_refreshed_at", "When the token was last refreshed."),
        _count("refresh_count", "How often it was refreshed."),
        _text("last_error_code", "TikTok's code of the last error."),
        _text("last_error_message", "The last error."),
        _time("last_error_at", "When it happened."),
        _REQUEST_ID,
        _time("verified_at", "When TikTok confirmed the token, if it did in this run."),
        _time("checked_at", "When this run looked at the connection."),
    )

    def records_of(self, result: CheckResult) -> Iterator[dict[str, Any]]:
        yield metadata.token_metadata(result, self._run.manager)


class Advertisers(ConnectionStream):
    """Details of the ad accounts, without personal data."""

    name = "advertisers"
    primary_keys: ClassVar[tuple[str, ...]] = ("connection", "advertiser_id")
    schema: ClassVar[dict[str, Any]] = _schema(
        _CONNECTION,
        _key("advertiser_id", "The ad account."),
        _text("owner_bc_id", "The Business Center that owns it."),
        _text("status", "TikTok's status of it."),
        _text("role", "TikTok's role of it."),
        _text("rejection_reason", "Why TikTok rejected it."),
        _text("name", "Its name."),
        _text("timezone", "Its time zone."),
        _text("display_timezone", "The time zone's name as shown."),
        _text("company", "The company's name."),
        _text("industry", "The industry's id."),
        _text("country", "The country's code."),
        _text("advertiser_account_type", "RESERVATION or AUCTION."),
        _text("currency", "The currency's code."),
        _text("language", "The language's code."),
        _text("description", "The account's description."),
        th.Property("balance", th.NumberType, description="The available balance."),
        _time("create_time", "When it was created."),
    )

    def records_of(self, result: CheckResult) -> Iterator[dict[str, Any]]:
        if result.credentials is None:
            return
        api = self._run.manager.api(result.connection)
        if not isinstance(api, MarketingApi):
            return
        ids = [seen.advertiser_id for seen in self._run.advertisers(result) if not seen.lost_at]
        try:
            for row in self._rows(api, result.credentials, ids):
                yield {"connection": result.connection.name, **row}
        except (PermissionMissing, RequestRefused) as error:
            if isinstance(error, RequestRefused) and error.code not in _NOT_IN_SANDBOX:
                raise
            self.logger.warning("%s The stream %s is left out for it.", error, self.name)

    def _rows(
        self, api: MarketingApi, credentials: Credentials, ids: list[str]
    ) -> Iterator[dict[str, Any]]:
        """Ask for the details in batches, which shrink if TikTok finds them too large."""
        size, position = ADVERTISER_INFO_BATCH, 0
        while position < len(ids):
            batch = tuple(ids[position : position + size])
            build = partial(api.advertiser_info, advertiser_ids=batch)
            try:
                rows, credentials = call(
                    self._run.manager, credentials, build, api.read_advertiser_info
                )
            except RequestRefused as error:
                if error.code != _TOO_MANY_IDS or size == 1:
                    raise
                size //= 2
                continue
            position += len(batch)
            yield from rows


class TikTokAccounts(ConnectionStream):
    """Who the tokens of TikTok accounts speak for."""

    name = "tiktok_accounts"
    primary_keys: ClassVar[tuple[str, ...]] = ("connection",)
    schema: ClassVar[dict[str, Any]] = _schema(
        _CONNECTION,
        _API,
        _text("open_id", "The account, as this app knows it."),
        _text("business_id", "The same id under its name in the Business API."),
        _text("union_id", "The account, as all apps of the developer know it."),
        _text("username", "The account's handle."),
        _text("display_name", "The account's name."),
    )

    def records_of(self, result: CheckResult) -> Iterator[dict[str, Any]]:
        manager, connection = self._run.manager, result.connection
        account = metadata.tiktok_account(manager, result)
        if account is not None:
            is_business = APIS.platform(connection.api) is BUSINESS
            yield {
                "connection": connection.name,
                "api": connection.api,
                "business_id": account.open_id if is_business else None,
                **account._asdict(),
            }


class CreatorMarketplaceAccounts(ConnectionStream):
    """The Creator Marketplace accounts that brands granted."""

    name = "creator_marketplace_accounts"
    primary_keys: ClassVar[tuple[str, ...]] = ("connection", "tto_tcm_account_id")
    schema: ClassVar[dict[str, Any]] = _schema(
        _CONNECTION,
        _key("tto_tcm_account_id", "The Creator Marketplace account."),
        _text("account_name", "Its name."),
        _text("country", "Its country."),
        _text("timezone", "Its time zone."),
        _text("business_verification_status", "Whether TikTok verified the business."),
    )

    def records_of(self, result: CheckResult) -> Iterator[dict[str, Any]]:
        manager, credentials = self._run.manager, result.credentials
        if credentials is None:
            return
        api = manager.api(result.connection)
        if not isinstance(api, CreatorMarketplaceApi):
            return
        for account_id in result.account_ids:
            build = partial(api.account_info, account_id=account_id)
            account, credentials = call(manager, credentials, build, api.read_account_info)
            if account is not None:
                yield {"connection": result.connection.name, **asdict(account)}


class TokenEvents(_RunStream):
    """The audit trail, in the order in which it was written."""

    name = "token_events"
    primary_keys: ClassVar[tuple[str, ...]] = ("event_id",)
    replication_key = "event_id"
    is_sorted = True
    schema: ClassVar[dict[str, Any]] = _schema(
        _key("event_id", "Grows with every event of a token store; 16 digits."),
        _CONNECTION,
        _text("event", "What happened."),
        _time("occurred_at", "When."),
        _text("fingerprint_before", "Fingerprint of the access token before."),
        _text("fingerprint_after", "Fingerprint of the access token after."),
        _text("advertiser_id", "The ad account that was granted or lost."),
        _text("error_code", "TikTok's code."),
        _text("error_message", "The error."),
        _REQUEST_ID,
        _text("host", "The machine that it happened on."),
        _count("pid", "The process there."),
        _text("tap_version", "The version of this tap there."),
    )

    def get_records(self, context: Context | None) -> Iterator[dict[str, Any]]:
        """Return the events after those of former runs, this run's own included.

        A store that fails in the midst ends the stream: the next run goes on after its last event.
        """
        bookmark = self.get_starting_replication_key_value(context)
        after = None if bookmark is None else event_id(bookmark)
        try:
            # Stored connections that are not this run's business are none of its reader's either.
            mine, store = self._run.results, self._run.manager.store
            others = {record.name for record in store.records(damaged=lambda *_: None)}
            others -= {result.connection.name for result in mine}
            for stored in store.events(after=after):
                if stored.event.connection not in others:
                    yield metadata.token_event(stored)
        except StoreError as error:
            self._run.note_failure(error)


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
