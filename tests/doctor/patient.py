"""Settings that a doctor can look at."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.login.people import environment, run

if TYPE_CHECKING:
    from pathlib import Path

    from tap_tiktok_auth.simulator import Simulator

PREFIX = "TAP_TIKTOK_AUTH_"
DAY = 86_400.0


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
        self.variables[f"{PREFIX}AUTH_CODE"] = tiktok.authorize("marketing")

    @property
    def database(self) -> Path:
        """The file of the store."""
        return self.folder / "tokens.db"

    def set(self, **settings: str | None) -> None:
        """Set settings; None removes one."""
        for name, value in settings.items():
            self.variables.pop(PREFIX + name.upper(), None)
            if value is not None:
                self.variables[PREFIX + name.upper()] = value

    def become(self, api: str) -> None:
        """Be a connection of another token system."""
        for name, value in self.tiktok.settings(api).items():
            self.set(**{name: value})

    def run(self) -> None:
        """Have a fresh token once."""
        assert run(self.variables, "token", "default").exit_code == 0

    def examine(self, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        """Return the doctor's exit code and findings."""
        done = run(self.variables, "doctor", "--json", *arguments)
        assert "Traceback" not in done.output
        findings: list[dict[str, Any]] = json.loads(done.stdout)
        for secret in ("APP_SECRET", "TOKEN_STORE_KEY", "AUTH_CODE"):
            assert self.variables.get(PREFIX + secret, "\0") not in done.output
        return done.exit_code, findings

    def told(self, words: str, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Return the exit code and the one finding with these words."""
        code, findings = self.examine(*arguments)
        found = [finding for finding in findings if words in finding["message"]]
        assert len(found) == 1, findings
        return code, found[0]
