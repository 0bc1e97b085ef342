"""What version 0.1.0 left behind goes on: a store, its key file, a recovery file, a state."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from tap_tiktok_auth.cli.main import main
from tap_tiktok_auth.store import open_store
from tap_tiktok_auth.store.crypto import Cipher
from tests.fixtures.make_store import STATE
from tests.standin.fixtures import bench, standin
from tests.standin.world import Access, Code, Consent

if TYPE_CHECKING:
    from click.testing import Result

    from tap_tiktok_auth.credentials.models import StoredConnection
    from tests.standin.runs import Bench

__all__ = ["bench", "standin"]

_OLD = Path(__file__).parents[1] / "fixtures" / "store-0.1"
#: When the store was made, by its own clock.
_MADE_AT = 1_795_254_600.0
_YEAR = 365 * 86_400.0
_STATUSES = {
    "acme": "active",
    "brand": "active",
    "crashed": "active",
    "ended": "reauthorization_required",
    "fan": "active",
    "gone": "revoked",
    "imported": "active",
    "lost": "unconfirmed",
    "maker": "active",
    "refused": "reauthorization_required",
    "robot": "active",
    "shop": "active",
    "stale": "active",
    "waiting": "active",
}


class Old:
    """A copy of the old store, as if it were of this moment, and a TikTok that knows its tokens."""

    def __init__(self, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.bench, self.standin = bench, bench.standin
        self.path = bench.store_path
        self.key_file = bench.folder / "xdg_config_home" / "tap-tiktok-auth" / "store.key"
        self.age = time.time() - _MADE_AT
        for name, file in (("store.sqlite", self.path), ("store.key", self.key_file)):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copyfile(_OLD / name, file)
            file.chmod(0o600)
        self._make_young()
        self.cipher = Cipher.from_text(self.key_file.read_text())
        self.url = f"sqlite:///{self.path}"
        self.before = {record.name: record for record in self.records()}
        for record in self.before.values():
            self._teach(record)
        settings = {"business_api_url", "login_kit_api_url", "tiktok_url"}
        for name in settings:
            monkeypatch.setenv(f"TAP_TIKTOK_AUTH_{name.upper()}", self.standin.url)
        monkeypatch.setenv("TAP_TIKTOK_AUTH_TOKEN_STORE", self.url)
        monkeypatch.setenv("TAP_TIKTOK_AUTH_LOGLEVEL", "WARNING")

    def _make_young(self) -> None:
        columns = (
            "issued_at",
            "access_token_expires_at",
            "refresh_token_expires_at",
            "consent_deadline",
            "last_refreshed_at",
            "attempt_at",
            "last_error_at",
            "verified_at",
            "lease_until",
        )
        with closing(sqlite3.connect(self.path)) as database, database:
            moved = ", ".join(f"{column} = {column} + ?" for column in columns)
            database.execute(f"UPDATE connections SET {moved}", [self.age] * len(columns))
            database.execute("UPDATE pending_logins SET begun_at = begun_at + ?", [self.age])

    def _teach(self, record: StoredConnection) -> None:
        """Let the stand-in know a stored connection's app and tokens."""
        world, token = self.standin.world, record.token
        if record.app_secret:
            world.apps[record.app_id] = record.app_secret
        if token is None:
            return
        portal = record.api in {"marketing", "creator_marketplace"}
        consent = Consent(
            record.app_id,
            timed=not portal,
            subject=record.subject_id,
            scopes=[1, 2] if portal else ",".join(record.scopes or ()),
            advertisers={f"700100000000000000{number}": f"Shop {number}" for number in (2, 3)},
            ends_at=token.consent_deadline or time.time() + _YEAR,
            refresh_token=token.refresh_token,
            revoked=record.name == "ended",
        )
        world.access[token.access_token] = Access(consent, token.expires_at)
        world.issued.add(token.access_token)
        if token.refresh_token:
            world.refresh[token.refresh_token] = consent
            world.issued.add(token.refresh_token)

    def config(self, **more: Any) -> dict[str, Any]:
        """Return the config that the store was made with, for this stand-in."""
        config: dict[str, Any] = json.loads((_OLD / "singer-config.json").read_text())
        url = self.standin.url
        return {
            **config,
            "business_api_url": url,
            "login_kit_api_url": url,
            "tiktok_url": url,
            "token_store": self.url,
            "requests_per_second": 1000,
            "request_timeout": 5,
            **more,
        }

    def records(self) -> list[StoredConnection]:
        """Return what is stored."""
        store = open_store(self.url, self.key_file.read_text().strip())
        try:
            return store.records()
        finally:
            store.close()

    def record(self, name: str) -> StoredConnection:
        """Return what is stored of a connection."""
        return next(record for record in self.records() if record.name == name)

    def put_recovery_file(self) -> Path:
        """Put the old recovery file beside the store, as if it had been made for this one."""
        payload = self.cipher.open((_OLD / "waiting.recovery").read_text())
        payload["recovery"] = self.url
        for name, value in payload["columns"].items():
            if isinstance(value, float) and value > 1.0:
                payload["columns"][name] = value + self.age
        file = self.path.parent / "recovery" / "waiting.recovery"
        file.parent.mkdir(mode=0o700)
        file.write_text(self.cipher.seal(payload))
        file.chmod(0o600)
        secrets = self.cipher.open(payload["columns"]["payload"])
        before = self.before["waiting"]
        assert before.token is not None
        consent = self.standin.world.refresh.pop(before.token.refresh_token or "")
        del self.standin.world.access[before.token.access_token]
        consent.refresh_token = secrets["refresh_token"]
        self.standin.world.refresh[secrets["refresh_token"]] = consent
        self.standin.world.access[secrets["access_token"]] = Access(consent, time.time() + 86_400)
        return file

    def command(self, *arguments: str) -> Result:
        """Run `tiktok-auth`."""
        result = CliRunner().invoke(main, arguments)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result


@pytest.fixture
def old(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Old:
    """Return a copy of the old store."""
    return Old(bench, monkeypatch)


def test_a_run_goes_on_after_the_state(old: Old) -> None:
    """A run with the old config, store and state serves the old tokens and spends no seed again."""
    state = json.loads((_OLD / "singer-state.json").read_text())
    mark = state["bookmarks"]["token_events"]["replication_key_value"]

    run = old.bench.run(old.config(on_error="warn"), state)

    assert run.code == 0
    for name in ("acme", "brand", "maker", "shop", "imported", "fan", "robot", "stale", "lost"):
        row = run.row(name)
        assert (row["status"], row["token_state"]) == ("active", "fresh"), name
        if name != "brand":  # the stand-in has an account of its own
            assert row["subject_id"] == old.before[name].subject_id
    assert run.row("gone")["status"] == "revoked"
    assert run.row("ended")["status"] == "reauthorization_required"
    access = {row["advertiser_id"]: row["access"] for row in run.rows("advertiser_ids", "acme")}
    assert access == {
        "7001000000000000001": "lost",
        "7001000000000000002": "granted",
        "7001000000000000003": "granted",
    }
    events = run.rows("token_events")
    assert min(event["event_id"] for event in events) > mark
    assert run.events("stale") == ["refreshed"]
    assert {event["event"] for event in events if event["connection"] == "acme"} >= {
        "advertiser_lost"
    }
    spent = old.standin.spent()
    codes = {c["auth_code"] for c in old.config()["connections"] if "auth_code" in c}
    assert not codes & set(spent)
    assert max(spent.values()) == 1


def test_a_program_of_the_old_version_that_still_runs_changes_no_row(tmp_path: Path) -> None:
    """Version 0.1.0 looks at a row's lease first, which fails once the store was taken over."""
    store, key = tmp_path / "store.sqlite", (_OLD / "store.key").read_text()
    shutil.copyfile(_OLD / "store.sqlite", store)
    store.chmod(0o600)
    look = "SELECT name, lease_holder, lease_until FROM connections WHERE name = ?"
    with closing(sqlite3.connect(store)) as still_running:
        assert still_running.execute(look, ("fan",)).fetchall()
        open_store(f"sqlite:///{store}", key).close()
        with pytest.raises(sqlite3.OperationalError, match="no such column"):
            still_running.execute(look, ("fan",))


def test_status_tells_what_there_is(old: Old) -> None:
    """`status` lists all connections with their statuses, and asks nobody."""
    shown = json.loads(old.command("status", "--json").stdout)
    told = {row["connection"]: row["status"] for row in shown}
    # The others' app is in the config, which is not given here.
    logged_in = {"crashed", "ended", "fan", "gone", "lost", "stale", "waiting"}
    assert told == {name: _STATUSES[name] for name in logged_in}
    assert not old.standin.calls


def test_a_fresh_token_is_given(old: Old) -> None:
    """`token` gives the old token as it is."""
    token = old.before["fan"].token
    assert token is not None
    assert old.command("token", "fan").stdout.strip() == token.access_token
    assert not old.standin.calls


def test_what_is_due_is_refreshed(old: Old) -> None:
    """`refresh` refreshes a stale token once, and keeps all others."""
    result = old.command("refresh", "stale", "fan")
    assert result.exit_code == 0, result.stderr
    assert old.record("stale").generation == old.before["stale"].generation + 1
    assert old.record("fan").token == old.before["fan"].token
    stale = old.before["stale"].token
    assert stale is not None
    assert old.standin.spent() == {stale.refresh_token: 1}


def test_the_key_is_changed(old: Old) -> None:
    """`store rotate-key` seals all with a new key; the key file keeps the former one."""
    result = old.command("store", "rotate-key")
    assert result.exit_code == 0, result.stderr
    new, former = old.key_file.read_text().strip().split(",")
    assert former == (_OLD / "store.key").read_text().strip()
    store = open_store(old.url, new)
    try:
        assert {record.name: record.token for record in store.records()} == {
            name: record.token for name, record in old.before.items()
        }
    finally:
        store.close()


def test_a_token_that_was_kept_elsewhere_is_taken_in(old: Old) -> None:
    """The token of an old recovery file is used, and the consumed one is not sent again."""
    file = old.put_recovery_file()
    consumed = old.before["waiting"].token
    assert consumed is not None

    result = old.command("refresh", "waiting")

    assert result.exit_code == 0, result.stderr
    assert not file.exists()
    assert old.record("waiting").generation == old.before["waiting"].generation + 1
    assert consumed.refresh_token not in old.standin.spent()


def test_a_login_that_was_begun_is_finished(old: Old) -> None:
    """The code of a login that the old version began is exchanged with its PKCE verifier."""
    with closing(sqlite3.connect(old.path)) as database:
        ((sealed,),) = database.execute("SELECT payload FROM pending_logins")
    login = old.cipher.open(sealed)
    app_id, world = login["app_id"], old.standin.world
    world.apps[app_id] = login["app_secret"]
    consent = Consent(
        app_id,
        timed=True,
        subject="someone",
        scopes="user.info.basic",
        advertisers={},
        ends_at=time.time() + _YEAR,
    )
    world.codes["new-code"] = Code(consent, time.time() + 600, login["code_verifier"])

    address = f"{login['redirect_uri']}?code=new-code&state={STATE}"
    result = old.command("login", "--complete", address)

    assert result.exit_code == 0, result.stderr
    assert old.record("later").subject_id == "someone"
