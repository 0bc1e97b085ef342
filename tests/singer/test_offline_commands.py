"""What Meltano runs all the time touches neither TikTok nor the store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.simulator import Simulator

if TYPE_CHECKING:
    from collections.abc import Iterator

TAP = Path(sys.executable).with_name("tap-tiktok-auth")
FLAGS = ("--discover", "--about", "--version", "--test=schema")


@pytest.fixture(name="simulator")
def _simulator() -> Iterator[Simulator]:
    with Simulator(seed="offline") as simulator:
        yield simulator


def run_tap(flag: str, config: dict[str, object], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the tap in a process whose home and data folders are below *folder*."""
    path = folder / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder / "home"),
        "XDG_DATA_HOME": str(folder / "data"),
        "XDG_CONFIG_HOME": str(folder / "config"),
    }
    return subprocess.run(
        [TAP, "--config", path, flag],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def files_below(folder: Path) -> list[str]:
    """Every file below *folder*, without the config that the test put there."""
    found = (p for p in folder.rglob("*") if p.is_file() and p.name != "config.json")
    return sorted(str(path.relative_to(folder)) for path in found)


@pytest.mark.parametrize("flag", FLAGS)
def test_no_call_and_no_store(flag: str, simulator: Simulator, tmp_path: Path) -> None:
    """With a seed that could be exchanged, the simulator gets no call and no file appears."""
    done = run_tap(flag, dict(simulator.settings("marketing")), tmp_path)

    assert done.returncode == 0, done.stderr
    assert simulator.calls() == []
    assert files_below(tmp_path) == []


@pytest.mark.parametrize("flag", FLAGS)
def test_no_server_is_needed(flag: str, simulator: Simulator, tmp_path: Path) -> None:
    """With every host at a closed port, and a store that cannot be made, all goes well."""
    config = dict(simulator.settings("marketing"))
    for name in ("business_api_url", "login_kit_api_url", "tiktok_url"):
        config[name] = "http://127.0.0.1:9"
    config["token_store"] = "sqlite:////proc/nowhere/tokens.db"

    done = run_tap(flag, config, tmp_path)

    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("flag", ["--discover", "--about", "--version"])
def test_no_config_is_needed(flag: str, tmp_path: Path) -> None:
    """Discovery and self-description work before anything is set."""
    assert run_tap(flag, {}, tmp_path).returncode == 0


def test_a_sync_does_call_and_does_store(simulator: Simulator, tmp_path: Path) -> None:
    """The same set-up without a flag does reach the simulator, so the tests above can fail."""
    config = dict(simulator.settings("marketing"))
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config), encoding="utf-8")
    done = run_tap("--test", config, tmp_path)

    assert done.returncode == 0, done.stderr
    assert simulator.count(action="exchange") == 1
    assert files_below(tmp_path) != []
