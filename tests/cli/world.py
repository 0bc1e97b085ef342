"""A TikTok, a token store, and the command line over both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from tap_tiktok_auth.cli.main import main
from tap_tiktok_auth.config.settings import ENV_PREFIX
from tap_tiktok_auth.credentials.models import StoredConnection, Token
from tap_tiktok_auth.store import open_store
from tap_tiktok_auth.store.keys import new_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from click.testing import Result

    from tap_tiktok_auth.simulator import Simulator
    from tap_tiktok_auth.store import Store

COMMAND = str(Path(sys.executable).with_name("tiktok-auth"))

#: Seconds; so long lives an access token of the Accounts API.
DAY = 86_400.0


class World:
    """A TikTok and a token store.

    Args:
        tiktok: The simulated TikTok.
        folder: Where the store goes.
    """

    def __init__(self, tiktok: Simulator, folder: Path) -> None:
        self.tiktok = tiktok
        self.folder = folder
        self.key = new_key()
        self.url = f"sqlite:///{folder / 'store' / 'tokens.db'}"

    @property
    def environment(self) -> dict[str, str]:
        """Settings that name the store and TikTok, and no connection."""
        settings = {
            "business_api_url": self.tiktok.url,
            "login_kit_api_url": self.tiktok.url,
            "tiktok_url": self.tiktok.url,
            "token_store": self.url,
            "token_store_key": self.key,
        }
        return {f"{ENV_PREFIX}{name.upper()}": value for name, value in settings.items()}

    def run(self, *arguments: str, **environment: str | None) -> Result:
        """Run `tiktok-auth` in this process; its standard input is no terminal."""
        result = CliRunner().invoke(main, arguments, env=environment)
        assert result.exception is None or isinstance(result.exception, SystemExit)
        return result

    def json(self, *arguments: str, **environment: str) -> Any:
        """Run `tiktok-auth` with `--json`, and return what it prints."""
        return json.loads(self.run(*arguments, "--json", **environment).stdout)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start `tiktok-auth` as a process."""
        environment = {**os.environ, **options.pop("env", {})}
        pipes = {"stdin": subprocess.DEVNULL, "stdout": -1, "stderr": -1}
        return subprocess.Popen(
            [COMMAND, *arguments], text=True, env=environment, **{**pipes, **options}
        )

    def process(self, *arguments: str, **options: Any) -> tuple[int, str, str]:
        """Run `tiktok-auth` as a process; return exit code, stdout and stderr."""
        with self.start(*arguments, **options) as process:
            out, err = process.communicate(timeout=60)
        return process.returncode, out, err

    @contextmanager
    def store(self, key: str | None = None) -> Iterator[Store]:
        """Open the token store."""
        store = open_store(self.url, key or self.key)
        try:
            yield store
        finally:
            store.close()

    def record(self, name: str) -> StoredConnection | None:
        """Return what the store has of a connection, if anything."""
        with self.store() as store:
            return store.read(name)

    def stored(self, name: str) -> StoredConnection:
        """Return what the store has of a connection."""
        found = self.record(name)
        assert found is not None
        return found

    def token(self, name: str) -> Token:
        """Return the stored token of a connection."""
        token = self.stored(name).token
        assert token is not None
        return token

    def keep(
        self, name: str, api: str = "accounts", *, age: float = 0.0, **changes: Any
    ) -> StoredConnection:
        """Put a connection into the store, as if a person had logged in *age* seconds ago."""
        app = self.tiktok.app(api)
        tokens = self.tiktok.grant(api, age=age)
        now = time.time()
        deadline = now + tokens.refresh_expires_in if tokens.refresh_expires_in else None
        token = Token(
            access_token=tokens.access_token,
            refresh_token=tokens.refresh_token,
            issued_at=now - age,
            expires_at=None if tokens.expires_in is None else now + tokens.expires_in,
            refresh_expires_at=deadline,
            consent_deadline=deadline,
            long_term=tokens.expires_in is None,
        )
        stored = StoredConnection(
            name=name,
            api=api,
            app_id=app.app_id,
            generation=1,
            token=token,
            app_secret=app.app_secret,
            status="active",
            obtained_by="login",
            subject_id=tokens.open_id,
            scopes=tuple(sorted(tokens.scopes)),
        )
        stored = replace(stored, **changes)
        self.keep_many(stored)
        return stored

    def keep_many(self, *stored: StoredConnection) -> None:
        """Put connections into the store."""
        with self.store() as store:
            for one in stored:
                assert store.commit(one, None)

    def change_token(self, name: str, **changes: Any) -> StoredConnection:
        """Commit another state of a connection's token."""
        before = self.stored(name)
        token = replace(self.token(name), **changes)
        changed = replace(before, token=token, generation=before.generation + 1)
        self.keep_many(changed)
        return changed

    def configure(self, **apis: str) -> dict[str, str]:
        """Return the environment of connections with fresh codes, by name."""
        names = ("api", "app_id", "app_secret", "auth_code", "redirect_uri")
        entries = []
        for name, api in apis.items():
            settings = self.tiktok.settings(api)
            entries.append({"name": name, **{key: settings[key] for key in names}})
        return {f"{ENV_PREFIX}CONNECTIONS": json.dumps(entries)}

    def secrets(self, name: str) -> list[str]:
        """Return the secrets of a stored connection, and the store's key."""
        token = self.token(name)
        found = (token.access_token, token.refresh_token, self.stored(name).app_secret)
        return [self.key, *(secret for secret in found if secret)]
