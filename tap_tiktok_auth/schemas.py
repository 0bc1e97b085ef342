"""The streams' schemas. Ids are texts, times are UTC and RFC 3339, nothing is a secret."""

from __future__ import annotations

from typing import cast

from singer_sdk import typing as th

_NAME = th.Property(
    "connection", th.StringType(nullable=False), required=True, description="The connection's name."
)
_API = th.Property("api", th.StringType, description="TikTok's token system.")
_APP_ID = th.Property("app_id", th.StringType, description="The app's id or client key.")
_REQUEST_ID = th.Property("request_id", th.StringType, description="TikTok's id of the call.")


def _text(name: str, description: str, *choices: str) -> th.Property[str]:
    # Targets check records by the schema, where an enumeration without null refuses null.
    allowed = cast("list[str]", [*choices, None]) if choices else None
    return th.Property(name, th.StringType, description=description, allowed_values=allowed)


def _time(name: str, description: str) -> th.Property[str]:
    return th.Property(name, th.DateTimeType, description=description)


def _key(name: str, description: str) -> th.Property[str]:
    return th.Property(name, th.StringType(nullable=False), required=True, description=description)


ADVERTISER_IDS = th.PropertiesList(
    _NAME,
    _API,
    _APP_ID,
    _key("advertiser_id", "The ad account."),
    _text("advertiser_name", "Its name."),
    _text("access", "Whether the connection has it now.", "granted", "lost"),
    _text("source", "Who told.", "advertiser_get", "token_response", "config"),
    _time("first_seen_at", "When it was first granted."),
    _time("last_seen_at", "When it was last seen granted."),
    _time("lost_at", "When it was found lost."),
).to_dict()

TOKEN_METADATA = th.PropertiesList(
    _NAME,
    _API,
    _APP_ID,
    _text(
        "status",
        "How the connection is.",
        "active",
        "refresh_failing",
        "unconfirmed",
        "reauthorization_required",
        "revoked",
        "pending",
    ),
    _text("token_state", "Whether the token works.", "fresh", "stale", "expired"),
    _text("token_fingerprint", "16 hex digits of a keyed hash of the access token."),
    _text("token_lifetime", "Whether the token has a timer.", "long_term", "short_term"),
    th.Property("refreshable", th.BooleanType, description="Whether there is a refresh token."),
    _text("subject_id", "Whom the token speaks for."),
    th.Property(
        "scopes", th.ArrayType(th.StringType), description="What the token may do, sorted."
    ),
    th.Property(
        "advertiser_count", th.IntegerType, description="How many ad accounts are granted."
    ),
    _text("obtained_by", "How the chain of tokens started."),
    _time("issued_at", "When the token was asked for."),
    _time("access_token_expires_at", "When the access token ends."),
    _time("refresh_token_expires_at", "When the refresh token ends."),
    _time("consent_deadline", "When a person must authorise again."),
    th.Property(
        "consent_days_left",
        th.IntegerType,
        description="Days until that date, in UTC; 0 on the last day and once it has ended.",
    ),
    _time("last_refreshed_at", "When the token was last refreshed."),
    th.Property("refresh_count", th.IntegerType, description="How often it was refreshed."),
    _text("last_error_code", "TikTok's code of the last error."),
    _text("last_error_message", "The last error."),
    _time("last_error_at", "When it happened."),
    _REQUEST_ID,
    _time("verified_at", "When TikTok confirmed the token, if it did in this run."),
    _time("checked_at", "When this run looked at the connection."),
).to_dict()

ADVERTISERS = th.PropertiesList(
    _NAME,
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
).to_dict()

TIKTOK_ACCOUNTS = th.PropertiesList(
    _NAME,
    _API,
    _text("open_id", "The account, as this app knows it."),
    _text("business_id", "The same id under its name in the Business API."),
    _text("union_id", "The account, as all apps of the developer know it."),
    _text("username", "The account's handle."),
    _text("display_name", "The account's name."),
).to_dict()

CREATOR_MARKETPLACE_ACCOUNTS = th.PropertiesList(
    _NAME,
    _key("tto_tcm_account_id", "The Creator Marketplace account."),
    _text("account_name", "Its name."),
    _text("country", "Its country."),
    _text("timezone", "Its time zone."),
    _text("business_verification_status", "Whether TikTok verified the business."),
).to_dict()

TOKEN_EVENTS = th.PropertiesList(
    _key("event_id", "Grows with every event of a token store; 16 digits."),
    _NAME,
    _text("event", "What happened."),
    _time("occurred_at", "When."),
    _text("fingerprint_before", "Fingerprint of the access token before."),
    _text("fingerprint_after", "Fingerprint of the access token after."),
    _text("advertiser_id", "The ad account that was granted or lost."),
    _text("error_code", "TikTok's code."),
    _text("error_message", "The error."),
    _REQUEST_ID,
    _text("host", "The machine that it happened on."),
    th.Property("pid", th.IntegerType, description="The process there."),
    _text("tap_version", "The version of this tap there."),
).to_dict()
