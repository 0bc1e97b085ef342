"""Made-up advertisers, TikTok accounts and brand accounts."""

from __future__ import annotations

from functools import lru_cache
from types import MappingProxyType
from typing import Any

ADVERTISERS = ("7001000000000000001", "7001000000000000002", "7001000000000000003")
BRANDS = ("7301000000000000001",)
ACCOUNTS = MappingProxyType({"acme": "Acme Shop", "boots": "Boots and More", "carla": "Carla"})
"""User names and display names that the consent page offers."""

# TikTok docs: Permission scope (1753986142651394); the last one does not fit into a double.
MARKETING_SCOPES = ("1", "2", "4", "6", "7043626160646946818")
BRAND_SCOPES = ("13000000",)
SCOPE_NAMES = MappingProxyType(
    {
        "1": "Ad Account Management",
        "2": "Ads Management",
        "4": "Reporting",
        "6": "Creative",
        "7043626160646946818": "Offline",
        "13000000": "TikTok Creator Marketplace",
    }
)
# TikTok docs: example answer of the Accounts API token endpoint.
ACCOUNT_SCOPES = (
    "user.info.basic",
    "user.info.username",
    "user.info.profile",
    "user.info.stats",
    "user.account.type",
    "user.insights",
    "video.list",
    "video.insights",
    "comment.list",
    "comment.list.manage",
    "video.publish",
)
MORE_ACCOUNT_SCOPES = (
    "video.upload",
    "message.list.read",
    "message.list.send",
    "message.list.manage",
    "biz.brand.insights",
    "biz.spark.auth",
    "biz.ads.recommend",
    "biz.creator.info",
    "biz.creator.insights",
    "tcm.order.update",
)
CREATOR_SCOPES = (*ACCOUNT_SCOPES[:4], "biz.creator.info", "biz.creator.insights")
LOGIN_KIT_SCOPES = ("user.info.basic", "user.info.profile", "user.info.stats", "video.list")
MORE_LOGIN_KIT_SCOPES = ("video.upload", "video.publish")

# TikTok docs: Get profile data of a TikTok account (1762228399168514); scopes of the fields.
ACCOUNT_FIELDS: MappingProxyType[str, tuple[str, Any]] = MappingProxyType(
    {
        "display_name": ("user.info.basic", ""),
        "profile_image": ("user.info.basic", "https://example.com/avatar.jpeg"),
        "username": ("user.info.username", ""),
        "profile_deep_link": ("user.info.profile", "https://example.com/@simulated"),
        "bio_description": ("user.info.profile", "Made up"),
        "is_verified": ("user.info.profile", False),
        "following_count": ("user.info.stats", 7),
        "followers_count": ("user.info.stats", 1200),
        "total_likes": ("user.info.stats", 3400),
        "videos_count": ("user.info.stats", 12),
        "is_business_account": ("user.account.type", True),
        "video_views": ("user.insights", 5600),
        "profile_views": ("user.insights", 780),
        "likes": ("user.insights", 90),
        "comments": ("user.insights", 12),
        "shares": ("user.insights", 3),
    }
)

# TikTok docs: /v2/user/info/ fields and their scopes.
USER_FIELDS: MappingProxyType[str, tuple[str, Any]] = MappingProxyType(
    {
        "open_id": ("user.info.basic", ""),
        "union_id": ("user.info.basic", ""),
        "avatar_url": ("user.info.basic", "https://example.com/avatar.jpeg"),
        "avatar_url_100": ("user.info.basic", "https://example.com/avatar_100.jpeg"),
        "avatar_large_url": ("user.info.basic", "https://example.com/avatar_large.jpeg"),
        "display_name": ("user.info.basic", ""),
        "bio_description": ("user.info.profile", "Made up"),
        "profile_deep_link": ("user.info.profile", "https://example.com/@simulated"),
        "is_verified": ("user.info.profile", False),
        "username": ("user.info.profile", ""),
        "follower_count": ("user.info.stats", 1200),
        "following_count": ("user.info.stats", 7),
        "likes_count": ("user.info.stats", 3400),
        "video_count": ("user.info.stats", 12),
    }
)


@lru_cache(maxsize=2)
def many_advertisers(count: int) -> tuple[str, ...]:
    """Return *count* advertiser ids."""
    return tuple(str(7002000000000000000 + number) for number in range(1, count + 1))


def advertiser_name(advertiser_id: str) -> str:
    """Return an advertiser's name."""
    return f"Advertiser {advertiser_id[-6:].lstrip('0') or '0'}"


def advertiser_details(advertiser_id: str) -> dict[str, Any]:
    """Return an advertiser as ``/advertiser/info/`` does, with made-up personal fields.

    TikTok docs: Ad account details (1739593083610113).
    """
    return {
        "advertiser_id": advertiser_id,
        "owner_bc_id": "7201000000000000001",
        "status": "STATUS_ENABLE",
        "role": "ROLE_ADVERTISER",
        "rejection_reason": "",
        "name": advertiser_name(advertiser_id),
        "timezone": "Etc/GMT",
        "display_timezone": "Europe/London",
        "company": "Simulated Company",
        "industry": "290505",
        "address": "1 Made Up Street",
        "country": "GB",
        "advertiser_account_type": "AUCTION",
        "currency": "GBP",
        "contacter": "Ada Made-Up",
        "email": "a***@example.com",
        "cellphone_number": "+4400****00",
        "telephone_number": "+4400****01",
        "language": "en",
        "license_no": "SIM-0000",
        "license_url": "https://example.com/license.pdf",
        "description": "",
        "balance": 100.5,
        "create_time": 1614175583,
        "can_use_custom_identity": True,
        "ads_only_mode": False,
    }


def user_name(subject: str) -> str:
    """Return the user name of a TikTok account."""
    return f"user{subject[-6:].lower()}"


def brand_account(account_id: str) -> dict[str, str]:
    """Return a brand account as ``/tto/oauth2/info/`` does."""
    return {
        "tto_tcm_account_id": account_id,
        "account_name": f"Brand {account_id[-3:].lstrip('0') or '0'}",
        "timezone": "Europe/London",
        "country": "GB",
        "business_verification_status": "PASSED",
    }


def core_user(subject: str) -> dict[str, Any]:
    """Return the person behind a portal's token as ``/user/info/`` does."""
    return {
        "core_user_id": subject,
        "display_name": user_name(subject),
        "email": "s***@example.com",
        "avatar_url": "https://example.com/avatar.jpeg",
        "create_time": 1614175583,
    }
