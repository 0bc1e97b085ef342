"""Virtual environments for projects of other people, and Meltano."""

from __future__ import annotations

import fcntl
import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent

_PROGRAM = """
import json, sys
sys.path.insert(0, sys.argv[1])
import _bootstrap
uv = _bootstrap.find_uv()
found = {
    "uv": [str(uv)],
    "environment": _bootstrap.clean_environment(),
    "meltano": _bootstrap.meltano_command(uv),
    "meltano_environment": _bootstrap.meltano_environment(),
}
json.dump(found, sys.stdout)
"""


class Uv:
    """The uv of the scripts, in an environment without the caller's settings."""

    def __init__(self) -> None:
        found = _bootstrap()
        self._uv, self._environment = found["uv"], found["environment"]

    def __call__(self, *arguments: str | Path) -> str:
        """Run a uv command that must succeed; return all that it printed."""
        return _succeed([*self._uv, *map(str, arguments)], ROOT, self._environment)

    def venv(self, folder: Path, *requirements: str | Path) -> Path:
        """Make an environment with these requirements; return its folder of programs."""
        self("venv", "--quiet", "--clear", "--no-project", "--python", sys.executable, folder)
        self("pip", "install", "--quiet", "--python", folder / "bin" / "python", *requirements)
        return folder / "bin"

    def kept_venv(self, *requirements: str) -> Path:
        """Return an environment with these pinned requirements, made below `.tools` if missing."""
        key = hashlib.sha256("\n".join([sys.version, *requirements]).encode()).hexdigest()[:12]
        folder = ROOT / ".tools" / "foreign" / key
        folder.parent.mkdir(parents=True, exist_ok=True)
        complete = folder / "complete"
        # Test processes that run at the same time make it once.
        with folder.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not complete.exists():
                self.venv(folder, *requirements)
                complete.touch()
        return folder / "bin"


def meltano(project: Path, *arguments: str, **variables: str) -> str:
    """Run a Meltano command that must succeed in a project; return all that it printed."""
    found = _bootstrap()
    environment = {**found["meltano_environment"], **variables}
    return _succeed([*found["meltano"], *arguments], project, environment)


def _bootstrap() -> dict[str, Any]:
    """Return commands and environments as the scripts have them."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(ROOT / "scripts")],
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _succeed(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        cwd=folder,
        env=environment,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
