"""The parsers read every body that is known from TikTok's documentation and from its answers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tap_tiktok_auth.apis.base import Account, Advertiser
from tap_tiktok_auth.errors import (
    AccessTokenRejected,
    AuthorizationRequired,
    RateLimited,
    RequestRefused,
    TikTokAuthError,
)
from tests.apis.replies import SAMPLES, api, reader_of, reply, requests_of, sample

ACCOUNT_SCOPES = (
    "comment.list",
    "comment.list.manage",
    "user.account.type",
    "user.info.basic",
    "user.info.stats",
    "user.info.username",
    "user.insights",
    "video.insights",
    "video.list",
    "video.publish",
)
READ: set[str] = set()


def read(name: str, purpose: str, path: str, status: int = 200) -> object:
    """Let a token system read a sample as the answer to one of its requests."""
    READ.add(path)
    return reader_of(name, purpose)(reply(requests_of(name)[purpose], sample(path), status))


def read_grant(name: str, path: str, purpose: str = "exchange"):  # type: ignore[no-untyped-def]  # noqa: ANN201
    """Read a sample as a token answer."""
    return read(name, purpose, path)


@pytest.mark.parametrize("name", ["accounts", "creator"])
@pytest.mark.parametrize(("path", "life"), [("token", 31_536_000), ("refresh_token", 31_527_314)])
def test_account_tokens(name: str, path: str, life: int) -> None:
    """Token, lifetimes, subject and sorted scopes of an account holder's token."""
    grant = read_grant(name, f"accounts/{path}.json")
    assert (grant.access_token, grant.refresh_token) == ("act.token", "rft.token")
    assert (grant.expires_in, grant.refresh_expires_in) == (86_400, life)
    assert (grant.subject_id, grant.scopes) == ("openid", ACCOUNT_SCOPES)
    assert grant.request_id.startswith("20240304")


@pytest.mark.parametrize("name", ["accounts", "creator"])
def test_legacy_account_token(name: str) -> None:
    """The flat answer of former days, with its own names for lifetimes and subject."""
    grant = read_grant(name, "accounts/legacy_flat.json")
    assert (grant.access_token, grant.refresh_token, grant.subject_id) == (
        "xxxxx",
        "xxxxx",
        "xxxxxxx",
    )
    assert (grant.expires_in, grant.refresh_expires_in) == (86_400, 31_536_000)
    assert len(grant.scopes) == 7


def test_account_token_info() -> None:
    """Whose token it is, and the same scopes in the same order whatever TikTok's is."""
    identity = api("accounts").read_identity(
        reply(requests_of("accounts")["verify"], sample("accounts/token_info.json"))
    )
    assert (identity.subject_id, identity.scopes) == ("openid", ACCOUNT_SCOPES)
    assert identity.advertisers is None
    both = {"code": 0, "data": {"creator_id": "creator", "open_id": "account"}}
    response = reply(requests_of("accounts")["verify"], both)
    assert api("accounts").read_identity(response).subject_id == "creator"


def test_revocations() -> None:
    """The answers to a revocation, an empty one of Login Kit included, say that all is well."""
    assert read("accounts", "revoke", "accounts/revoke.json") is None
    kit = requests_of("login_kit")["revoke"]
    for body in (b"", b"{}", b" "):
        assert reader_of("login_kit", "revoke")(reply(kit, body)) is None
    with pytest.raises(TikTokAuthError):
        reader_of("login_kit", "revoke")(reply(kit, b"", 500))


def test_login_kit_token() -> None:
    """The flat answer of Login Kit."""
    grant = read_grant("login_kit", "login_kit/token.json")
    assert grant.access_token.startswith("act.example")
    assert grant.refresh_token.startswith("rft.example")
    assert (grant.expires_in, grant.refresh_expires_in) == (86_400, 31_536_000)
    assert grant.scopes == ("user.info.basic", "video.list")


def test_login_kit_app_token() -> None:
    """A token of the app itself has no subject and no refresh token."""
    grant = read_grant("login_kit", "login_kit/client_token.json", "client_token")
    assert (grant.expires_in, grant.refresh_token, grant.subject_id) == (7200, None, None)


def test_login_kit_user() -> None:
    """The names of a Login Kit user, as far as they are told."""
    assert read("login_kit", "account", "login_kit/user_info.json") == Account(
        open_id="723f24d7-e717-40f8-a2b6-cb8464cd23b4",
        union_id="c9c60f44-a68e-4f5d-84dd-ce22faeb0ba1",
    )


@pytest.mark.parametrize(
    ("path", "scopes", "ids"),
    [
        ("access_token", ("9007199254740993",), ("adv-1",)),
        ("access_token_v2", ("1", "7533163835474346001"), ("7001", "7002")),
    ],
)
@pytest.mark.parametrize("name", ["marketing", "creator_marketplace"])
def test_advertiser_tokens(
    name: str, path: str, scopes: tuple[str, ...], ids: tuple[str, ...]
) -> None:
    """Numbers beyond 2**53 keep every digit; there is no timer and no refresh token."""
    grant = read_grant(name, f"marketing/{path}.json")
    assert (grant.scopes, grant.advertiser_ids) == (scopes, ids)
    assert (grant.expires_in, grant.refresh_token) == (None, None)


@pytest.mark.parametrize(
    ("told", "life"),
    [
        (86_400, 86_400),
        ("43200", 43_200),
        (0, None),
        (1_800_086_400, 86_400),
        (63_072_000, 63_072_000),
        (63_072_001, None),
        (-1, None),
    ],
)
def test_lifetimes(told: object, life: float | None) -> None:
    """Seconds, or the moment of the end; zero is "no timer", and what cannot be is not told."""
    request = requests_of("accounts")["exchange"]
    body = {"code": 0, "data": {"access_token": "act.good", "expires_in": told}}
    response = replace(reply(request, body), sent_at=1_800_000_000.0)
    grant = api("accounts").read_grant(response)
    assert grant.expires_in == life
    assert grant.unread == (("expires_in",) if told in {63_072_001, -1} else ())


def test_advertisers() -> None:
    """The ad accounts of a token; a lower-case `ok` is as good."""
    identity = api("marketing").read_identity(
        reply(requests_of("marketing")["verify"], sample("marketing/advertiser_get.json"))
    )
    assert identity.advertisers == (Advertiser("917429327", "name"),)


@pytest.mark.parametrize(
    ("name", "path", "status", "kind", "code"),
    [
        ("marketing", "marketing/error_40002_no_data.json", 200, RequestRefused, "40002"),
        ("marketing", "marketing/error_40100.json", 200, RateLimited, "40100"),
        ("marketing", "marketing/error_40104.json", 200, AuthorizationRequired, "40104"),
        ("marketing", "marketing/error_40105.json", 200, AccessTokenRejected, "40105"),
        (
            "login_kit",
            "login_kit/api_error.json",
            401,
            AccessTokenRejected,
            "access_token_invalid",
        ),
        ("login_kit", "login_kit/error_redirect.json", 400, TikTokAuthError, "invalid_request"),
        ("login_kit", "login_kit/error_redirect.json", 200, TikTokAuthError, "invalid_request"),
    ],
)
def test_errors(name: str, path: str, status: int, kind: type[Exception], code: str) -> None:
    """Each error is of its kind, with TikTok's code, whatever the HTTP status is."""
    with pytest.raises(kind) as caught:
        read(name, "verify", path, status)
    assert isinstance(caught.value, TikTokAuthError)
    assert caught.value.code == code
    assert caught.value.next_step


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("marketing", "revoked or access withdrawn"),
        ("creator_marketplace", "revoked or access withdrawn"),
        ("accounts", "the access token is wrong or was revoked"),
    ],
)
def test_a_refused_token(name: str, cause: str) -> None:
    """A token that does not expire was revoked, or lost its access."""
    with pytest.raises(AccessTokenRejected, match=cause):
        read(name, "verify", "marketing/error_40105.json")


def test_the_nested_error_of_login_kit() -> None:
    """The other documented shape of an API error means the same."""
    body = {"data": {}, "error": {"code": "access_token_invalid", "message": "", "log_id": "2026A"}}
    with pytest.raises(AccessTokenRejected):
        reader_of("login_kit", "verify")(reply(requests_of("login_kit")["verify"], body, 401))


def test_no_sample_is_forgotten() -> None:
    """Every file of the samples is named in this module."""
    text = (SAMPLES.parent / "test_samples.py").read_text()
    paths = [path.relative_to(SAMPLES) for path in SAMPLES.rglob("*.json")]
    assert len(paths) == 17
    for path in paths:
        assert path.stem in text, path
