"""A tap of somebody else: reads ad accounts of the Business API with TikTokAuthenticator."""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th

from tap_tiktok_auth import TikTokAuthenticator

if TYPE_CHECKING:
    from collections.abc import Mapping


class TapReports(Tap):
    """The tap; its setting `tiktok` holds the settings of tap-tiktok-auth."""

    name = "tap-reports"
    config_jsonschema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("tiktok", th.ObjectType(additional_properties=True), required=True),
        th.Property("advertiser_ids", th.ArrayType(th.StringType), required=True),
    ).to_dict()

    @cached_property
    def tiktok(self) -> TikTokAuthenticator:
        """One authenticator for all streams."""
        return TikTokAuthenticator.from_config(self.config["tiktok"])

    def discover_streams(self) -> list[RESTStream[int]]:
        """Return the streams."""
        return [Advertisers(self)]


class Advertisers(RESTStream[int]):
    """Ad accounts."""

    name = "advertisers"
    path = "/open_api/v1.3/advertiser/info/"
    primary_keys = ("advertiser_id",)
    records_jsonpath = "$.data.list[*]"
    schema: ClassVar[dict[str, Any]] = th.PropertiesList(
        th.Property("advertiser_id", th.StringType),
        th.Property("name", th.StringType),
    ).to_dict()

    @property
    def url_base(self) -> str:
        """The host, which a test may replace."""
        tiktok = self.config["tiktok"]
        return str(tiktok.get("business_api_url", "https://business-api.tiktok.com"))

    @property
    def authenticator(self) -> TikTokAuthenticator:
        """What authorises the requests."""
        assert isinstance(self._tap, TapReports)
        return self._tap.tiktok

    def get_url_params(
        self, context: Mapping[str, Any] | None, next_page_token: int | None
    ) -> dict[str, Any]:
        """Return the query."""
        del context, next_page_token
        return {"advertiser_ids": json.dumps(list(self.config["advertiser_ids"]))}
