"""Creator Marketplace (TikTok One), brand side: authorised like an advertiser, no timer.

Facts from TikTok's Business API docs (authorization from a TTO Creator Marketplace account).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tap_tiktok_auth.apis import responses
from tap_tiktok_auth.apis.base import Identity, need_app
from tap_tiktok_auth.apis.marketing import LongTermBusinessApi

if TYPE_CHECKING:
    from tap_tiktok_auth.apis.base import Consent, Request, Response


@dataclass(frozen=True)
class MarketplaceAccount:
    """A Creator Marketplace account of a brand."""

    tto_tcm_account_id: str
    account_name: str | None
    country: str | None
    timezone: str | None
    business_verification_status: str | None


class CreatorMarketplaceApi(LongTermBusinessApi):
    """Brands' tokens. The endpoints stay at v1.3 whatever the Marketing API's version is."""

    name = "creator_marketplace"
    refresh_tokens = False

    def verify(
        self, connection: Consent, access_token: str, scopes: tuple[str, ...] = ()
    ) -> Request:
        del scopes
        app = need_app(connection)
        return self.read(
            "tto/oauth2/tcm", access_token, {"app_id": app.app_id}, app=app, purpose="verify"
        )

    def read_identity(self, response: Response) -> Identity:
        data = self.read_data(response)
        ids = responses.identifiers(response, data.get("tto_tcm_account_ids"))
        return Identity(subject_id=ids[0] if ids else None, account_ids=ids)

    def account_info(self, access_token: str, account_id: str) -> Request:
        """Return the request for one Creator Marketplace account's details."""
        return self.read("tto/oauth2/info", access_token, {"tto_tcm_account_id": account_id})

    def read_account_info(self, response: Response) -> MarketplaceAccount | None:
        """Read the response to `account_info`; None if it names no account."""
        data = self.read_data(response)
        account_id = responses.identifier(response, data, "tto_tcm_account_id")
        if account_id is None:
            return None
        return MarketplaceAccount(
            tto_tcm_account_id=account_id,
            account_name=responses.text(data.get("account_name")),
            country=responses.text(data.get("country")),
            timezone=responses.text(data.get("timezone")),
            business_verification_status=responses.text(data.get("business_verification_status")),
        )
