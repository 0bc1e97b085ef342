"""Data calls behind the streams: details of what the tokens grant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.apis import responses
from tap_tiktok_auth.apis.accounts import AccountsApi
from tap_tiktok_auth.apis.base import Account
from tap_tiktok_auth.apis.creator_marketplace import CreatorMarketplaceApi
from tap_tiktok_auth.apis.login_kit import LoginKitApi
from tap_tiktok_auth.apis.marketing import (
    ADVERTISER_INFO_BATCH,
    ADVERTISER_INFO_FIELDS,
    MarketingApi,
)
from tap_tiktok_auth.credentials.data_calls import call
from tap_tiktok_auth.errors import PermissionMissing, RequestRefused
from tap_tiktok_auth.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tap_tiktok_auth.apis.creator_marketplace import MarketplaceAccount
    from tap_tiktok_auth.credentials.checks import CheckResult
    from tap_tiktok_auth.credentials.manager import Credentials, TokenManager

_TOO_MANY_IDS = "40011"
#: The sandbox does not have the endpoint, the parameter or the account.
_NOT_IN_SANDBOX = {"40008", "40009", "40013", "40014"}

#: Seconds since the epoch; what is later is no date.
_YEAR_10000 = 253_402_300_800


class NotOffered(PermissionMissing):
    """TikTok does not offer these data to this token."""


def advertiser_details(
    manager: TokenManager, held: Credentials, advertiser_ids: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Return details of ad accounts, asked for in batches that shrink if TikTok finds them large.

    Raises:
        NotOffered: The permission is missing, or this is the sandbox.
        TikTokAuthError: The call fails for another reason.
    """
    api = manager.api(held.connection)
    if not isinstance(api, MarketingApi):
        return
    size, position = ADVERTISER_INFO_BATCH, 0
    while position < len(advertiser_ids):
        batch = tuple(advertiser_ids[position : position + size])
        try:
            rows, held = call(
                manager,
                held,
                lambda token, ids=batch: api.advertiser_info(token, ids),  # type: ignore[misc]
                api.read_advertiser_info,
            )
        except RequestRefused as error:
            if error.code == _TOO_MANY_IDS and size > 1:
                size = max(1, size // 2)
                continue
            if error.code in _NOT_IN_SANDBOX:
                raise _not_offered(error) from None
            raise
        except PermissionMissing as error:
            raise _not_offered(error) from None
        position += len(batch)
        yield from map(_details, rows)


def _details(row: dict[str, Any]) -> dict[str, Any]:
    details = {name: _as_text(row.get(name)) for name in ADVERTISER_INFO_FIELDS}
    return {
        **details,
        "balance": _as_number(row.get("balance")),
        "create_time": rfc3339(_as_moment(row.get("create_time"))),
    }


def _as_text(value: object) -> str | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return responses.text(value)


def _as_number(value: object) -> float | None:
    try:
        number = float(value) if isinstance(value, int | float | str) else None
    except (ValueError, OverflowError):
        return None
    return number if number is not None and abs(number) < 1e12 else None


def _as_moment(value: object) -> float | None:
    number = _as_number(value)
    return number if number is not None and 0 <= number < _YEAR_10000 else None


def _not_offered(error: RequestRefused | PermissionMissing) -> NotOffered:
    offered = NotOffered(
        error.cause, next_step=error.next_step, code=error.code, request_id=error.request_id
    )
    return offered.of(error.connection) if error.connection else offered


def tiktok_account(manager: TokenManager, report: CheckResult) -> Account | None:
    """Return the TikTok account that a token speaks for; None for advertisers and brands.

    Login Kit names it when the token is confirmed.

    Raises:
        TikTokAuthError: The call fails for another reason than a missing permission.
    """
    held = report.held
    if held is None or held.stored.subject_id is None:
        return None
    api, record = manager.api(held.connection), held.stored
    open_id, scopes = held.stored.subject_id, record.scopes or ()
    known = report.account or Account(open_id=open_id)
    if not isinstance(api, AccountsApi):
        return known if isinstance(api, LoginKitApi) else None
    if not api.account_fields(scopes):
        return known
    try:
        account, _ = call(
            manager, held, lambda t: api.account(t, open_id, scopes), api.read_account
        )
    except PermissionMissing:
        return known
    return Account(open_id, None, account.username, account.display_name)


def marketplace_accounts(
    manager: TokenManager, held: Credentials, account_ids: Sequence[str]
) -> Iterator[MarketplaceAccount]:
    """Return a brand's Creator Marketplace accounts.

    Raises:
        TikTokAuthError: A call fails.
    """
    api = manager.api(held.connection)
    if not isinstance(api, CreatorMarketplaceApi):
        return
    for account_id in account_ids:
        account, held = call(
            manager,
            held,
            lambda token, one=account_id: api.account_info(token, one),  # type: ignore[misc]
            api.read_account_info,
        )
        if account is not None:
            yield account
