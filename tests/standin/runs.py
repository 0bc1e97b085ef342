"""Running the tap against the stand-in, and looking at all that it leaves behind."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.store import open_store, rows
from tap_tiktok_auth.store.keys import Cipher, new_key
from tap_tiktok_auth.tap import TapTikTokAuth
from tests.standin.world import app_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.credentials.models import StoredConnection
    from tests.standin.server import StandIn

TAP = Path(sys.executable).with_name("tap-tiktok-auth")
TIMED = ("accounts", "creator", "login_kit")
LONG_TERM = ("marketing", "creator_marketplace")
APIS = (*LONG_TERM, *TIMED)

_TIMES = ("issued_at", "access_token_expires_at", "refresh_token_expires_at", "consent_deadline")


@dataclass(frozen=True)
class Run:
    """One run of the tap.

    Attributes:
        code: Exit code.
        out: All of stdout.
        err: All of stderr, at DEBUG.
    """

    code: int
    out: str
    err: str

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The Singer messages."""
        return [json.loads(line) for line in self.out.splitlines()]

    def rows(self, stream: str, connection: str | None = None) -> list[dict[str, Any]]:
        """Return the records of a stream."""
        return [
            m["record"]
            for m in self.messages
            if m["type"] == "RECORD"
            and m["stream"] == stream
            and connection in {None, m["record"].get("connection")}
        ]

    def row(self, connection: str) -> dict[str, Any]:
        """Return the one row of a connection in `token_metadata`."""
        (row,) = self.rows("token_metadata", connection)
        return row

    def events(self, connection: str) -> list[str]:
        """Return the names of a connection's events about tokens."""
        names = [row["event"] for row in self.rows("token_events", connection)]
        return [name for name in names if not name.startswith("advertiser_")]

    @property
    def state(self) -> dict[str, Any]:
        """The last state."""
        states: list[dict[str, Any]] = [m["value"] for m in self.messages if m["type"] == "STATE"]
        return states[-1]

    def told(self, connection: str) -> list[str]:
        """Return the lines at WARNING or ERROR about a connection."""
        mark = f"connection {connection}:"
        lines = [line for line in self.err.splitlines() if mark in line]
        return [
            line.partition(mark)[2].strip()
            for line in lines
            if " ERROR " in line or " WARNING " in line
        ]


class Bench:
    """A stand-in, a token store and the settings that bring them together."""

    def __init__(self, standin: StandIn, folder: Path) -> None:
        self.standin = standin
        self.world = standin.world
        self.folder = folder
        self.store_path = folder / "store" / "tokens.db"
        self.key = new_key()
        self.runs: list[Run] = []
        for api in APIS:
            self.world.add_app(app_of(api))

    def settings(self, *connections: dict[str, Any], **more: Any) -> dict[str, Any]:
        """Return a config with these connections."""
        url = self.standin.url
        return {
            "connections": list(connections),
            "business_api_url": url,
            "login_kit_api_url": url,
            "tiktok_url": url,
            "token_store": f"sqlite:///{self.store_path}",
            "token_store_key": self.key,
            "requests_per_second": 1000,
            "request_timeout": 5,
            **more,
        }

    def connection(self, api: str, name: str | None = None, **more: Any) -> dict[str, Any]:
        """Return settings of a connection with the app, and no seed unless given."""
        app_id = app_of(api)
        return {
            "name": name or api,
            "api": api,
            "app_id": app_id,
            "app_secret": self.world.apps[app_id],
            "redirect_uri": "https://example.com/callback/",
            **more,
        }

    def consented(self, api: str, name: str | None = None, **more: Any) -> dict[str, Any]:
        """Return settings of a connection with a code that was just granted."""
        advertisers: dict[str, str] | None = {} if api == "creator_marketplace" else None
        code = self.world.consent(app_of(api), timed=api in TIMED, advertisers=advertisers)
        return self.connection(api, name, auth_code=code, **more)

    def run(self, config: dict[str, Any], state: dict[str, Any] | None = None, *more: str) -> Run:
        """Run the tap in this process, through its command line."""
        arguments = [*self._files(config, state), *more]
        out, err = io.StringIO(), io.StringIO()
        with _quiet(out, err), pytest.raises(SystemExit) as ended:
            TapTikTokAuth.cli.main(args=arguments)
        code = ended.value.code
        assert isinstance(code, int)
        return self.kept(Run(code, out.getvalue(), err.getvalue()))

    def kept(self, run: Run) -> Run:
        """Keep a run, for the look at what all runs wrote."""
        assert "Traceback" not in run.err, run.err
        self.runs.append(run)
        return run

    def start(self, config: dict[str, Any], **environment: str) -> subprocess.Popen[str]:
        """Start the tap in a process of its own."""
        return subprocess.Popen(
            [TAP, *self._files(config, None)],
            env={
                "PATH": os.environ["PATH"],
                "HOME": str(self.folder / "home"),
                "TAP_TIKTOK_AUTH_LOGLEVEL": "DEBUG",
                **environment,
            },
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def pass_time(self, seconds: float) -> None:
        """Let time pass for TikTok and for what is stored."""
        self.world.offset += seconds
        cipher = Cipher.from_text(self.key)
        selected = f"SELECT {', '.join(rows.COLUMNS)} FROM connections"
        with closing(sqlite3.connect(self.store_path)) as database, database:
            for values in database.execute(selected).fetchall():
                row = dict(zip(rows.COLUMNS, values, strict=True))
                record = _earlier(rows.to_stored(row, cipher), seconds)
                sealed = rows.to_columns(record, cipher, cipher.primary, lambda _: None)
                names = (*_TIMES, "payload")
                assignments = ", ".join(f"{name} = ?" for name in names)
                database.execute(
                    f"UPDATE connections SET {assignments} WHERE name = ?",
                    (*(sealed[name] for name in names), record.name),
                )

    def record(self, name: str) -> StoredConnection:
        """Return what the store has of a connection."""
        store = open_store(f"sqlite:///{self.store_path}", self.key)
        try:
            record = store.read(name)
        finally:
            store.close()
        assert record is not None
        return record

    def secrets(self) -> set[str]:
        """Return all that must not be seen anywhere."""
        return {*self.world.issued, self.key}

    def leaks(self) -> list[str]:
        """Return where a secret can be seen: in what the runs wrote, or in files."""
        texts = {f"stdout {i}": run.out for i, run in enumerate(self.runs)}
        texts |= {f"stderr {i}": run.err for i, run in enumerate(self.runs)}
        for file in self.folder.rglob("*"):
            if file.is_file() and file.name != "config.json":
                texts[str(file)] = file.read_bytes().decode("latin-1")
        return [where for where, text in texts.items() if any(s in text for s in self.secrets())]

    def _files(self, config: dict[str, Any], state: dict[str, Any] | None) -> list[str]:
        path = self.folder / "config.json"
        path.write_text(json.dumps(config))
        arguments = ["--config", str(path)]
        if state is not None:
            path = self.folder / "state.json"
            path.write_text(json.dumps(state))
            arguments += ["--state", str(path)]
        return arguments


def _earlier(record: StoredConnection, seconds: float) -> StoredConnection:
    """Return a record whose token got its times so many seconds earlier."""

    def before(moment: float | None) -> float | None:
        return None if moment is None else moment - seconds

    token = record.token
    if token is None:
        return record
    return replace(
        record,
        token=replace(
            token,
            issued_at=token.issued_at - seconds,
            expires_at=before(token.expires_at),
            refresh_expires_at=before(token.refresh_expires_at),
            consent_deadline=before(token.consent_deadline),
        ),
    )


@contextlib.contextmanager
def _quiet(out: io.StringIO, err: io.StringIO) -> Iterator[None]:
    """Catch what a run writes, and put back what it changes in the process."""
    root, former = logging.getLogger(), logging.getLogger().handlers[:]
    level = root.level
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    root.handlers.clear()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            yield
    finally:
        for handler in root.handlers:
            handler.close()
        root.handlers[:] = former
        root.setLevel(level)
        for number, handler_before in handlers.items():
            signal.signal(number, handler_before)
