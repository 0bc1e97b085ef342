"""What earlier versions left behind works: a store, its key file, a recovery file, a STATE."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from tap_tiktok_auth.cli import main
from tap_tiktok_auth.store import open_store
from tap_tiktok_auth.store.keys import Cipher
from tests.fixtures import STATE, VERSIONS, Folder
from tests.standin.fixtures import bench, standin
from tests.standin.world import Access, Code, Consent

if TYPE_CHECKING:
    from pathlib import Path

    from click.testing import Result

    from tap_tiktok_auth.credentials.models import StoredConnection
    from tests.standin.runs import Bench

__all__ = ["bench", "standin"]

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


#: What the seal covers since schema 2, in the order of its digest.
_DECIDED_BY = (
    "status",
    "long_term",
    "issued_at",
    "access_token_expires_at",
    "refresh_token_expires_at",
    "consent_deadline",
    "redirect_uri",
    "seed_hash",
    "spent_seeds",
    "obtained_by",
    "subject_id",
    "scopes",
    "attempt_key",
    "attempt_at",
    "attempt_outcome",
)


class Old:
    """A copy of an old store, as if it were of this moment, and a TikTok that knows its tokens."""

    def __init__(self, files: Folder, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
        self.files, self.bench, self.standin = files, bench, bench.standin
        self.path = bench.store_path
        self.key_file = bench.folder / "xdg_config_home" / "tap-tiktok-auth" / "store.key"
        self.age = time.time() - _MADE_AT
        for name, file in (("store.sqlite", self.path), ("store.key", self.key_file)):
            file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            shutil.copyfile(files.path / name, file)
            file.chmod(0o600)
        self.cipher = Cipher.from_text(self.key_file.read_text())
        with closing(sqlite3.connect(self.path)) as database, database:
            self._make_young(database)
        self.url = f"sqlite:///{self.path}"
        self.before = {record.name: record for record in self.records()}
        for record in self.before.values():
            self._teach(record)
        settings = {"business_api_url", "login_kit_api_url", "tiktok_url"}
        for name in settings:
            monkeypatch.setenv(f"TAP_TIKTOK_AUTH_{name.upper()}", self.standin.url)
        monkeypatch.setenv("TAP_TIKTOK_AUTH_TOKEN_STORE", self.url)
        monkeypatch.setenv("TAP_TIKTOK_AUTH_LOGLEVEL", "WARNING")

    def _make_young(self, database: sqlite3.Connection) -> None:
        database.row_factory = sqlite3.Row
        for row in database.execute("SELECT * FROM connections").fetchall():
            columns = self._moved(dict(row))
            assignments = ", ".join(f"{column} = ?" for column in columns)
            database.execute(
                f"UPDATE connections SET {assignments} WHERE name = ?",
                (*columns.values(), columns["name"]),
            )
        (login,) = database.execute("SELECT begun_at, payload FROM pending_logins").fetchall()
        database.execute(
            "UPDATE pending_logins SET begun_at = ?, payload = ?",
            (login["begun_at"] + self.age, self._resealed(login["payload"])),
        )

    def _moved(self, columns: dict[str, Any]) -> dict[str, Any]:
        """Return a row as if it had been written just now; only its lease has ended long ago."""
        young = {
            name: value + self.age
            if isinstance(value, float) and name not in {"lease_until", "held_until"}
            else value
            for name, value in columns.items()
        }
        payload = self.cipher.open(columns["payload"])
        assert payload.get("decided_by", digest(columns)) == digest(columns)
        return young | {"payload": self._resealed(columns["payload"], decided_by=digest(young))}

    def _resealed(self, sealed: str, **changes: str) -> str:
        """Return a sealed payload, bound to the stand-in's address instead of the simulator's."""
        payload = self.cipher.open(sealed)
        changed = {**changes, "origin": self.standin.url}
        return self.cipher.seal(
            {name: changed.get(name, value) if value else value for name, value in payload.items()}
        )

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
        config: dict[str, Any] = json.loads(self.files.text("singer-config.json"))
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
        payload = self.cipher.open(self.files.text("waiting.recovery"))
        payload |= {"recovery": self.url, "columns": self._moved(payload["columns"])}
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


def digest(columns: dict[str, Any]) -> str:
    """Return the digest of what is decided by, as the sealed payload has it since schema 2."""
    given = {name: columns[name] for name in _DECIDED_BY if columns[name] is not None}
    alike = {n: float(v) if isinstance(v, int) else v for n, v in given.items()}
    return hashlib.sha256(json.dumps(alike).encode()).hexdigest()


@pytest.fixture(params=VERSIONS, ids=str)
def old(request: pytest.FixtureRequest, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> Old:
    """Return a copy of the store of an earlier version."""
    return Old(request.param, bench, monkeypatch)


def test_a_run_goes_on_after_the_state(old: Old) -> None:
    """A run with the old config, store and state serves the old tokens and spends no seed again."""
    state = json.loads(old.files.text("singer-state.json"))
    mark = state["bookmarks"]["token_events"]["replication_key_value"]

    run = old.bench.run(old.config(on_error="warn"), state)

    assert run.code == 0
    for name in (
        "acme",
        "brand",
        "maker",
        "shop",
        "imported",
        "fan",
        "robot",
        "stale",
        "lost",
        "crashed",
    ):
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
    store, key = VERSIONS[0].sqlite(tmp_path), VERSIONS[0].text("store.key")
    look = "SELECT name, lease_holder, lease_until FROM connections WHERE name = ?"
    with closing(sqlite3.connect(store)) as still_running:
        assert still_running.execute(look, ("fan",)).fetchall()
        open_store(f"sqlite:///{store}", key).close()
        with pytest.raises(sqlite3.OperationalError, match="no such column"):
            still_running.execute(look, ("fan",))


def test_all_content_is_read_as_it_was_written(tmp_path: Path) -> None:
    """A store of today's format is read as the program read it that made it."""
    files = VERSIONS[1]
    path = files.sqlite(tmp_path)
    store = open_store(f"sqlite:///{path}", files.text("store.key"))
    try:
        files.expect_content(store)
    finally:
        store.close()


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
    assert former == old.files.text("store.key").strip()
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
