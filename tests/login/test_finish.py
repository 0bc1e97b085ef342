"""What a login tells about who authorised, and tokens that a person holds already."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tap_tiktok_auth.apis.base import Account, Advertiser, Identity
from tap_tiktok_auth.config.models import App, Connection
from tap_tiktok_auth.credentials.checks import CheckResult
from tap_tiktok_auth.credentials.models import AdvertiserAccess, StoredConnection, Token
from tap_tiktok_auth.errors import ConfigurationError, Unreachable
from tap_tiktok_auth.login.finish import FinishedLogin, new_owner, read_tokens, seed_of

NOW = 1_790_000_000.0
CONNECTION = Connection("acme", "marketing", App("app", "secret"))
STORED = StoredConnection("acme", "marketing", "app", token=Token("secret-token", long_term=True))


def ads(*ids: str) -> tuple[AdvertiserAccess, ...]:
    """Return ad accounts."""
    return tuple(AdvertiserAccess(i, f"Shop {i}", "advertiser_get", NOW, NOW) for i in ids)


def finished(
    advertisers: tuple[AdvertiserAccess, ...] = (), account: Account | None = None, **more: Any
) -> FinishedLogin:
    """Return a login that went well."""
    result = CheckResult(CONNECTION, NOW, replace(STORED, **more), account=account)
    return FinishedLogin(result, advertisers)


def owner(subject_id: str | None, *advertisers: str, accounts: tuple[str, ...] = ()) -> Identity:
    """Return who authorised."""
    return Identity(subject_id, None, tuple(map(Advertiser, advertisers)), accounts)


@pytest.mark.parametrize(
    ("before", "had", "came", "words"),
    [
        ({"subject_id": "a"}, (), owner("b"), "account a then, b now"),
        ({"subject_id": "a"}, ("1",), owner(None, "2"), "none of the ad accounts"),
        ({}, ("1", "2"), owner(None, "3"), "none of the ad accounts"),
        ({"app_id": "x"}, ("1",), owner(None, "3"), "none of the ad accounts"),
        # Whoever may be the same, or cannot be compared, is not called someone else.
        ({}, (), owner("b"), None),
        ({"subject_id": "a"}, (), owner(None), None),
        ({"subject_id": "a"}, (), owner("a"), None),
        ({"subject_id": "a", "app_id": "x"}, (), owner("b"), None),
        ({"subject_id": "a", "api": "accounts"}, (), owner("b"), None),
        ({}, ("1", "2"), owner(None, "2", "3"), None),
        ({}, ("1",), owner(None), None),
        ({"subject_id": "1"}, (), owner("2", accounts=("2", "1")), None),
    ],
)
def test_someone_else_is_noticed_by_evidence_alone(
    before: dict[str, Any], had: tuple[str, ...], came: Identity, words: str | None
) -> None:
    """Another account in the same app, or ad accounts of which none is known, is someone else."""
    told = new_owner(replace(STORED, **before), ads(*had), CONNECTION, came)
    assert words in (told or "") if words else told is None


@pytest.mark.parametrize(
    ("before", "had", "is_told"),
    [({}, (), False), ({"subject_id": "a"}, (), True), ({}, ("1",), True)],
)
def test_silence_counts_where_somebody_was_known(
    before: dict[str, Any], had: tuple[str, ...], *, is_told: bool
) -> None:
    """TikTok's silence about who authorised is worth a question if somebody was known before."""
    silence = Unreachable("the host cannot be reached")
    told = new_owner(replace(STORED, **before), ads(*had), CONNECTION, owner(None), silence)
    assert (told is not None) is is_told
    assert new_owner(None, (), CONNECTION, owner("b"), silence) is None


def test_facts_name_who_and_what_without_secrets() -> None:
    """Account, ad accounts, scopes and times are told; the token is not."""
    token = Token("secret-token", "secret-refresh", NOW, NOW + 86_400, NOW + 9e6, NOW + 9e6)
    account = Account("id-1", None, "ada", "Ada")
    login = finished(
        ads(*"1234567"), account, token=token, subject_id="id-1", scopes=("user.b", "user.a")
    )
    named = [f"Shop {number} ({number})" for number in range(1, 6)]
    assert login.facts() == [
        ("Account", "Ada (@ada)"),
        ("Account id", "id-1"),
        ("Ad accounts", "\n".join([*named, "and 2 more"])),
        ("Scopes", "user.a, user.b"),
        ("Token works", "until 2026-09-22T14:13:20Z, then refreshed"),
        ("Consent ends", "2027-01-03"),
    ]


def test_facts_of_a_brand() -> None:
    """A brand is told by its accounts, and a token without an end by what ends it."""
    login = finished()
    login = replace(login, result=replace(login.result, account_ids=("7", "8")))
    assert login.facts() == [
        ("Brand accounts", "7, 8"),
        ("Ad accounts", "none"),
        ("Token works", "until someone revokes it"),
    ]


def test_scopes_are_told_by_name_and_sorted_as_numbers() -> None:
    """A person reads the permissions that they ticked, with TikTok's numbers beside them."""
    scopes = ("1", "10000", "13000000", "2", "7043626160646946818", "99")
    assert dict(finished(scopes=scopes).facts())["Scopes"] == (
        "Ad Account Management (1), Ads Management (2), 99, Reach & Frequency (10000), "
        "TCM (13000000), Offline (7043626160646946818)"
    )


def test_warnings_tell_what_to_look_at() -> None:
    """Scopes that were not granted, tokens that are not confirmed, and a new owner are told."""
    login = finished(scopes=("user.info.basic",))
    assert login.warnings(("user.info.basic", "video.list")) == [
        "not granted, though asked for: video.list"
    ]
    error = Unreachable("the host cannot be reached")
    login = FinishedLogin(replace(login.result, error=error), new_owner="account a then, b now")
    unconfirmed, owner_changed = login.warnings()
    assert unconfirmed.startswith(
        "the tokens are stored, but TikTok does not confirm them: the host"
    )
    assert "acme now belongs to someone else than before: account a then, b now" in owner_changed


BOTH = {"access_token": "act.one", "refresh_token": "rft.two"}


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ('{"access_token": "act.one", "refresh_token": "rft.two", "expires_in": 5}', BOTH),
        ('{"code": 0, "data": {"access_token": "act.one", "refresh_token": "rft.two"}}', BOTH),
        ('{"access_token": "act.one", "refresh_token": ""}', {"access_token": "act.one"}),
        ("act.one", {"access_token": "act.one"}),
        ("\r\nact.one\r\n\r\nrft.two\r\n", BOTH),
        ("access_token=act.one\nrefresh_token='rft.two'", BOTH),
        ("refresh_token = rft.two", {"refresh_token": "rft.two"}),
        ("a=b==", {"access_token": "a=b=="}),
    ],
)
def test_documented_forms_are_understood(text: str, tokens: dict[str, str]) -> None:
    """JSON, TikTok's own answer, named lines and bare lines give the same tokens."""
    assert read_tokens(text) == tokens


@pytest.mark.parametrize(
    "text",
    [
        "",
        " \n ",
        "{}",
        '{"access_token": "SECRET',
        '{"access_token": 17}',
        '{"access_token": ["SECRET"]}',
        '{"data": {"token": "SECRET"}}',
        "SECRET one",
        "SECRET1\nSECRET2\nSECRET3",
        "access_token=SECRET\nSECRET",
        "access_token=SECRET\naccess_token=SECRET2",
        "SECR\x07ET",
        "SECRÉT",
        "SECRET" * 20_000,
    ],
)
def test_anything_else_is_refused_without_repeating_it(text: str) -> None:
    """A message about tokens that cannot be read never has a piece of them."""
    with pytest.raises(ConfigurationError) as refused:
        read_tokens(text)
    assert "SECR" not in str(refused.value)


@pytest.mark.parametrize(
    ("tokens", "kind"),
    [
        ({"access_token": "a"}, "access_token"),
        ({"refresh_token": "r"}, "refresh_token"),
        (BOTH, "access_and_refresh_token"),
    ],
)
def test_the_seed_has_what_was_given(tokens: dict[str, str], kind: str) -> None:
    """The kind of the seed follows from which tokens there are."""
    seed = seed_of("accounts", tokens)
    given = (tokens.get("access_token"), tokens.get("refresh_token"))
    assert (seed.kind, (seed.access_token, seed.refresh_token)) == (kind, given)


def test_tokens_that_are_never_refreshed_have_no_refresh_token() -> None:
    """A refresh token for the Creator Marketplace is a mistake, and told."""
    with pytest.raises(ConfigurationError, match="not refreshed"):
        seed_of("creator_marketplace", BOTH)
