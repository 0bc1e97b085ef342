"""Records with every field set, and short ways to put them into a store."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tap_tiktok_auth.credentials.models import (
    Event,
    LastError,
    PendingLogin,
    StoredConnection,
    Token,
    TokenRequestMark,
)
from tap_tiktok_auth.store import recovery

if TYPE_CHECKING:
    from pathlib import Path

    from tap_tiktok_auth.store import Store

ACCESS = "act.ACCESS-SECRET"
REFRESH = "rft.REFRESH-SECRET"
APP_SECRET = "APP-SECRET"
VERIFIER = "VERIFIER-SECRET"
SECRETS = (ACCESS, REFRESH, APP_SECRET, VERIFIER)


def full_record(name: str = "acme", **changes: Any) -> StoredConnection:
    """Return a record of the first generation with every field set."""
    record = StoredConnection(
        name=name,
        api="accounts",
        app_id="7001",
        generation=1,
        token=Token(
            access_token=ACCESS,
            refresh_token=REFRESH,
            issued_at=1_700_000_000.125,
            expires_at=1_700_086_400.125,
            refresh_expires_at=1_731_536_000.5,
            consent_deadline=1_731_536_000.5,
        ),
        app_secret=APP_SECRET,
        redirect_uri="https://example.com/callback/",
        seed_hash="ab" * 32,
        spent_seeds=("ab" * 32, "cd" * 32),
        status="refresh_failing",
        obtained_by="auth_code",
        subject_id="open-id",
        scopes=("user.info.basic", "9007199254740993"),
        last_refreshed_at=1_700_000_001.5,
        refresh_count=7,
        attempt=TokenRequestMark("ef" * 32, 1_700_000_002.5, "refused"),
        failure=LastError("TikTok refuses the refresh token", 1_700_000_003.5, "40103"),
        request_id="2023111412000000000000000000000A",
        verified_at=1_700_000_004.5,
    )
    return replace(record, **changes)


def renewed(record: StoredConnection, secret: str = "act.NEXT-SECRET") -> StoredConnection:
    """Return a record with the next generation of tokens."""
    token = Token(access_token=secret, refresh_token=f"{secret}.refresh", issued_at=1.0)
    return replace(record, generation=record.generation + 1, token=token, attempt=None)


def stored(store: Store, name: str = "acme", **changes: Any) -> StoredConnection:
    """Put a full record into a store and return it."""
    record = full_record(name, **changes)
    assert store.commit(record, None)
    return record


class _Killed(Exception):
    """A process ends before it could commit."""


def left_behind(
    store: Store, record: StoredConnection, *, follows: StoredConnection | None = None
) -> Path:
    """Leave an answer of TikTok in a recovery file, as a process that was killed does."""
    token = follows.token if follows else None
    answer = recovery.Answer(
        stored=record,
        before=replace(record, generation=record.generation - 1, attempt=None),
        follows=store.fingerprint(token.access_token) if token else None,
        events=(Event("refreshed", record.name),),
    )
    kept: list[Path | None] = []
    with suppress(_Killed), recovery.kept(store, answer) as file:
        kept.append(file)
        raise _Killed
    (left,) = kept
    assert left is not None
    return left


def login(**changes: Any) -> PendingLogin:
    """Return a login with every field set."""
    begun = PendingLogin(
        connection="acme",
        api="login_kit",
        app_id="7001",
        app_secret=APP_SECRET,
        redirect_uri="http://127.0.0.1:8080/callback/",
        code_verifier=VERIFIER,
        begun_at=1_700_000_000.0,
    )
    return replace(begun, **changes)
