"""What a login tells about who authorised."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tap_tiktok_auth.apis.base import Account
from tap_tiktok_auth.config.models import Connection
from tap_tiktok_auth.credentials.checks import CheckResult
from tap_tiktok_auth.credentials.models import AdvertiserAccess, StoredConnection
from tap_tiktok_auth.credentials.tokens import Token
from tap_tiktok_auth.errors import Unreachable
from tap_tiktok_auth.login import summary
from tap_tiktok_auth.login.connected import Connected, Standing

NOW = 1_790_000_000.0


def record(**more: object) -> StoredConnection:
    """Return a stored connection."""
    known = StoredConnection(
        "acme", "marketing", "app", token=Token("secret-token", long_term=True)
    )
    return replace(known, **more)  # type: ignore[arg-type]


def ads(*ids: str) -> tuple[AdvertiserAccess, ...]:
    """Return ad accounts."""
    return tuple(AdvertiserAccess(i, f"Shop {i}", "advertiser_get", NOW, NOW) for i in ids)


def done(before: Standing, after: Standing, **more: object) -> Connected:
    """Return a login that went well."""
    report = CheckResult(Connection("acme", "marketing"), NOW, after.record)
    return Connected("acme", before, after, replace(report, **more), None, NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (Standing(None), Standing(record(subject_id="b"))),
        (Standing(record()), Standing(record(subject_id="b"))),
        (Standing(record(subject_id="a")), Standing(record())),
        (Standing(record(subject_id="a")), Standing(record(subject_id="a"))),
        (Standing(record(subject_id="a", app_id="x")), Standing(record(subject_id="b"))),
        (Standing(record(subject_id="a", api="accounts")), Standing(record(subject_id="b"))),
        (Standing(record(), ads("1", "2")), Standing(record(), ads("2", "3"))),
        (Standing(record(), ads("1")), Standing(record())),
    ],
)
def test_no_alarm_without_evidence(old: Standing, new: Standing) -> None:
    """Whoever may be the same, or cannot be compared, is not called someone else."""
    assert summary.is_someone_else(done(old, new)) is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (Standing(record(subject_id="a")), Standing(record(subject_id="b"))),
        (Standing(record(), ads("1", "2")), Standing(record(), ads("3"))),
        (Standing(record(app_id="x"), ads("1")), Standing(record(), ads("3"))),
    ],
)
def test_someone_else_is_noticed(old: Standing, new: Standing) -> None:
    """Another account in the same app, or ad accounts of which none is known, is someone else."""
    assert any("someone else" in line for line in summary.warnings(done(old, new)))


def test_a_brand_with_its_old_account_among_others_is_the_same() -> None:
    """TikTok's order of a brand's accounts means nothing."""
    old, new = Standing(record(subject_id="1")), Standing(record(subject_id="2"))
    assert summary.is_someone_else(done(old, new, account_ids=("2", "1"))) is None


def test_facts_name_who_and_what_without_secrets() -> None:
    """Account, ad accounts, scopes and times are told; the token is not."""
    token = Token("secret-token", "secret-refresh", NOW, NOW + 86_400, NOW + 9e6, NOW + 9e6)
    after = Standing(record(token=token, subject_id="id-1", scopes=("a", "b")), ads(*"1234567"))
    told = replace(done(Standing(None), after), account=Account("id-1", None, "ada", "Ada"))
    facts = dict(summary.facts(told))
    assert facts["Account"] == "Ada (@ada)"
    assert facts["Account id"] == "id-1"
    named = [f"Shop {number} ({number})" for number in range(1, 6)]
    assert facts["Ad accounts"].split("\n") == [*named, "and 2 more"]
    assert facts["Scopes"] == "a, b"
    assert facts["Token works"].endswith("then refreshed")
    assert facts["Consent ends"].startswith("20")
    assert "secret" not in str(facts)


def test_scopes_that_were_not_granted_are_told() -> None:
    """A person may untick a scope; that is not found out weeks later."""
    after = Standing(record(scopes=("user.info.basic",)))
    lines = summary.warnings(done(Standing(None), after), ("user.info.basic", "video.list"))
    assert lines == ["not granted, though asked for: video.list"]


def test_tokens_that_tiktok_does_not_confirm_are_stored_all_the_same() -> None:
    """A failed check after the exchange is a warning: the tokens are safe."""
    error = Unreachable("the host cannot be reached")
    lines = summary.warnings(done(Standing(None), Standing(record()), error=error))
    assert lines[0].startswith("the tokens are stored, but TikTok does not confirm them: the host")


def test_scopes_are_told_by_name_and_sorted_as_numbers() -> None:
    """A person reads the permissions that they ticked, with TikTok's numbers beside them."""
    scopes = ("1", "13000000", "2", "7043626160646946818", "99", "10000")
    after = Standing(record(scopes=tuple(sorted(scopes))))
    assert dict(summary.facts(done(Standing(None), after)))["Scopes"] == (
        "Ad Account Management (1), Ads Management (2), 99, Reach & Frequency (10000), "
        "TCM (13000000), Offline (7043626160646946818)"
    )
    names = Standing(record(scopes=("video.list", "user.info.basic")))
    assert dict(summary.facts(done(Standing(None), names)))["Scopes"] == (
        "user.info.basic, video.list"
    )
