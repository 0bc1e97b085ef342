"""A connection that a person ended on purpose stands in nobody's way."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tap_tiktok_auth.simulator import Simulator

BIN = Path(sys.executable).parent
#: Each kind of seed, with a token system that takes it.
SEEDS = [
    ("auth_code", "marketing"),
    ("auth_code", "login_kit"),
    ("access_token", "marketing"),
    ("refresh_token", "accounts"),
    ("access_and_refresh_token", "creator"),
    ("client_credentials", "login_kit"),
]


def entry(tiktok: Simulator, name: str, seed: str, api: str) -> dict[str, Any]:
    """Settings of a connection with a seed of that kind."""
    own = tiktok.settings(api)
    kept = {key: own[key] for key in ("api", "app_id", "app_secret", "redirect_uri")}
    tokens = tiktok.grant(api)
    held = {"access_token": tokens.access_token, "refresh_token": tokens.refresh_token}
    seeds = {
        "auth_code": {"auth_code": own["auth_code"]},
        "access_and_refresh_token": held,
        "client_credentials": {"grant_type": "client_credentials"},
    }
    return {"name": name, **kept, **seeds.get(seed, {seed: held.get(seed)})}


class Machine:
    """A machine with a config file, a token store, the tap and its commands."""

    def __init__(self, tiktok: Simulator, folder: Path) -> None:
        self.tiktok = tiktok
        self.folder = folder

    def configure(self, *connections: dict[str, Any], **more: object) -> None:
        """Write the config file."""
        url, store = self.tiktok.url, f"sqlite:///{self.folder / 'tokens.db'}"
        hosts = dict.fromkeys(("business_api_url", "login_kit_api_url", "tiktok_url"), url)
        config = {**hosts, "token_store": store, "connections": connections, **more}
        (self.folder / "config.json").write_text(json.dumps(config), encoding="utf-8")

    def run(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the tap, or one of its commands, to its end."""
        *command, last = (program, *arguments)
        return subprocess.run(
            [BIN / command[0], *command[1:], last, "--config", self.folder / "config.json"]
            if command
            else [BIN / last, "--config", self.folder / "config.json"],
            env={"PATH": "", "HOME": str(self.folder)},
            capture_output=True,
            text=True,
            check=False,
        )

    def rows(self, stdout: str) -> dict[str, dict[str, Any]]:
        """The rows of `token_metadata` by connection."""
        messages = [json.loads(line) for line in stdout.splitlines()]
        rows = [
            m["record"] for m in messages if m.get("stream") == "token_metadata" and "record" in m
        ]
        return {row["connection"]: row for row in rows}

    def spent(self) -> int:
        """How many token requests TikTok got."""
        return self.tiktok.count(action="exchange") + self.tiktok.count(action="refresh")


@pytest.fixture
def machine(tiktok_simulator: Simulator, tmp_path: Path) -> Machine:
    """A machine that has not done anything yet."""
    return Machine(tiktok_simulator, tmp_path)


def test_every_use_goes_on_without_it(machine: Machine, tiktok_simulator: Simulator) -> None:
    """Runs, tests, `refresh` and `status` end with 0 and tell of it in one line of information."""
    seeds = [entry(tiktok_simulator, n, "auth_code", "marketing") for n in ("ended", "well")]
    machine.configure(*seeds)
    assert machine.run("tap-tiktok-auth").returncode == 0
    assert machine.run("tiktok-auth", "revoke", "ended", "--yes").returncode == 0
    spent = machine.spent()

    for on_error in ("fail", "warn"):
        machine.configure(*seeds, on_error=on_error)
        done = machine.run("tap-tiktok-auth")
        assert done.returncode == 0, done.stderr
        (line,) = (line for line in done.stderr.splitlines() if "connection ended:" in line)
        assert "INFO" in line
        rows = machine.rows(done.stdout)
        assert (rows["ended"]["status"], rows["well"]["status"]) == ("revoked", "active")
        assert rows["ended"]["last_error_message"] is None
        assert '"advertiser_id"' in done.stdout
    for command in (
        ("tap-tiktok-auth", "--test"),
        ("tiktok-auth", "status"),
        ("tiktok-auth", "status", "ended", "--check"),
        ("tiktok-auth", "refresh"),
        ("tiktok-auth", "refresh", "ended", "--force"),
        ("tiktok-auth", "doctor"),
    ):
        done = machine.run(*command)
        assert done.returncode == 0, (command, done.stderr)
        assert "failed" not in done.stdout
    assert machine.spent() == spent


@pytest.mark.parametrize(("seed", "api"), SEEDS)
def test_its_seed_does_not_start_it_again(
    machine: Machine, tiktok_simulator: Simulator, seed: str, api: str
) -> None:
    """However the connection began, what it began from stays in the config and does nothing.

    A run of nothing else ends with 0 too, and says that there is nothing else.
    """
    machine.configure(entry(tiktok_simulator, "acme", seed, api))
    first = machine.run("tap-tiktok-auth")
    assert first.returncode == 0, first.stderr
    revoked = machine.run("tiktok-auth", "revoke", "acme", "--yes")
    assert revoked.returncode == 0, revoked.stderr
    before = len(tiktok_simulator.calls())

    for program in (
        ("tap-tiktok-auth",),
        ("tap-tiktok-auth", "--test"),
        ("tiktok-auth", "refresh"),
    ):
        done = machine.run(*program)
        assert done.returncode == 0, done.stderr
    done = machine.run("tap-tiktok-auth")
    assert "All connections were revoked" in done.stderr
    assert machine.rows(done.stdout)["acme"]["status"] == "revoked"
    assert len(tiktok_simulator.calls()) == before


def test_a_token_is_refused_and_a_new_seed_starts_anew(
    machine: Machine, tiktok_simulator: Simulator
) -> None:
    """Who asks for its token hears that a person is needed; a new code is a new consent."""
    machine.configure(entry(tiktok_simulator, "acme", "auth_code", "marketing"))
    assert machine.run("tap-tiktok-auth").returncode == 0
    assert machine.run("tiktok-auth", "revoke", "acme", "--yes").returncode == 0

    asked = machine.run("tiktok-auth", "token", "acme")
    assert (asked.returncode, asked.stdout) == (3, "")
    assert "was revoked on purpose. To use it again, run: tiktok-auth login acme" in asked.stderr
    machine.configure(entry(tiktok_simulator, "acme", "auth_code", "marketing"))
    done = machine.run("tiktok-auth", "refresh")
    assert done.stdout == "1 exchanged\n"
    assert machine.rows(machine.run("tap-tiktok-auth").stdout)["acme"]["status"] == "active"
