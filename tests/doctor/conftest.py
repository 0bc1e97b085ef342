"""Settings that a doctor can look at."""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.store import Store, open_store
from tests.login.people import environment, run

if TYPE_CHECKING:
    from pathlib import Path

    from tap_tiktok_auth.credentials.models import StoredConnection
    from tap_tiktok_auth.simulator import Simulator

PREFIX = "TAP_TIKTOK_AUTH_"


class Patient:
    """Settings to be examined.

    Args:
        tiktok: The simulator that they point to.
        folder: Where their store is.
    """

    def __init__(self, tiktok: Simulator, folder: Path) -> None:
        self.tiktok = tiktok
        self.folder = folder / "store"
        self.folder.mkdir(mode=0o700)
        self.variables = environment(tiktok, self.folder)
        self.set(auth_code=tiktok.authorize("marketing"))

    @property
    def database(self) -> Path:
        """The file of the store."""
        return self.folder / "tokens.db"

    def open(self, **clock: Any) -> closing[Store]:
        """Open the store, which is made if there is none."""
        key = self.variables[f"{PREFIX}TOKEN_STORE_KEY"]
        return closing(open_store(f"sqlite:///{self.database}", key, **clock))

    def set(self, **settings: str | None) -> None:
        """Set settings; None removes one."""
        for name, value in settings.items():
            self.variables.pop(PREFIX + name.upper(), None)
            if value is not None:
                self.variables[PREFIX + name.upper()] = value

    def become(self, api: str) -> None:
        """Be a connection of another token system, and have a fresh token once."""
        self.set(**self.tiktok.settings(api))
        self.run()

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a command, by default one that has a fresh token; return what it printed."""
        done = run(self.variables, *(arguments or ("token", "default")))
        assert done.exit_code == code, done.output
        return done.stdout.strip()

    def change(self, **changes: Any) -> StoredConnection:
        """Change what the store has of the connection."""
        with self.open() as store:
            stored = store.read("default")
            assert stored is not None
            changed = replace(stored, generation=stored.generation + 1, **changes)
            assert store.commit(changed, None)
        return changed

    def examine(self, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        """Return the doctor's exit code and findings."""
        done = run(self.variables, "doctor", "--json", *arguments)
        assert "Traceback" not in done.output
        findings: list[dict[str, Any]] = json.loads(done.stdout)
        for secret in ("APP_SECRET", "TOKEN_STORE_KEY", "AUTH_CODE"):
            assert self.variables.get(PREFIX + secret, "\0") not in done.output
        return done.exit_code, findings

    def finds(self, words: str, *arguments: str) -> tuple[int, str, dict[str, Any]]:
        """Return the exit code, level and the one finding with these words."""
        code, findings = self.examine(*arguments)
        found = [finding for finding in findings if words in finding["message"]]
        assert len(found) == 1, findings
        return code, found[0]["level"], found[0]


@pytest.fixture(name="patient")
def _patient(tiktok_simulator: Simulator, tmp_path: Path) -> Patient:
    return Patient(tiktok_simulator, tmp_path)
