"""What the scripts need before anything is installed: uv, environments, Meltano.

Standard library only; runs on any Python from 3.10 that has pip, from any folder, in or out of a
virtual environment.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROOT = Path(__file__).resolve().parent.parent
#: Everything that the scripts install for themselves goes here; git ignores it.
TOOLS = ROOT / ".tools"

#: The pinned uv, with the hashes of its wheels.
UV = ROOT / "scripts" / "uv-requirements.txt"
MELTANO = "meltano==4.4.1"
#: Compiled pins for Meltano's own environment, see CONTRIBUTING.
MELTANO_CONSTRAINTS = ROOT / "scripts" / "meltano-constraints.txt"

OLDEST = (3, 10)

#: Variables of the caller's environment that would lead Python, uv or Meltano astray.
_STRAY = ("VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONHOME", "PYTHONPATH", "UV_PROJECT_ENVIRONMENT")
_STRAY_PREFIXES = ("MELTANO_", "TAP_", "TARGET_")


def fail(message: str) -> NoReturn:
    """End the script with one line on stderr."""
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(1)


def progress(message: str) -> None:
    """Say what is being done."""
    print(f"-- {message}", file=sys.stderr, flush=True)


def require_python() -> None:
    """End the script if this Python is too old."""
    if sys.version_info < OLDEST:
        fail(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, this is {sys.version.split()[0]}")


def pip_install(uv: Path, python: Path, *arguments: str, what: str) -> None:
    """Install into the environment of *python*."""
    run([uv, "pip", "install", "--quiet", "--python", python, *arguments], what=what)


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the environment without what would lead astray, plus *extra*."""
    environment = {
        name: value
        for name, value in os.environ.items()
        if name not in _STRAY and not name.startswith(_STRAY_PREFIXES)
    }
    return {**environment, **(extra or {})}


def run(
    command: Sequence[str | Path],
    *,
    what: str,
    environment: Mapping[str, str] | None = None,
    folder: Path = ROOT,
) -> None:
    """Run *command* quietly; if it fails, show what it printed and end the script."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=dict(environment or clean_environment()),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    if done.returncode:
        print(done.stdout, file=sys.stderr)
        fail(f"{what} failed with exit code {done.returncode}, see above")


def find_uv() -> Path:
    """Return a uv that works: the one on PATH, else one that pip puts below `.tools`."""
    for candidate in (shutil.which("uv"), TOOLS / "uv" / "bin" / "uv"):
        if candidate and _works(Path(candidate)):
            return Path(candidate)
    progress("installing uv")
    # `--target` works with every pip, needs no ensurepip, and leaves the system's Python alone.
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade"]
    hashed = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--requirement"]
    run(
        [*pip, "--no-warn-script-location", "--target", TOOLS / "uv", *hashed, UV],
        what="installing uv with pip",
        environment=clean_environment({"PIP_USER": "0", "PIP_REQUIRE_VIRTUALENV": "0"}),
    )
    installed = TOOLS / "uv" / "bin" / "uv"
    if not _works(installed):
        fail("pip installed a uv that does not start on this machine")
    return installed


def _works(uv: Path) -> bool:
    # A shim on PATH may stand for a Python that is not the active one.
    try:
        done = subprocess.run([str(uv), "--version"], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def make_environment(uv: Path, folder: Path) -> Path:
    """Make the virtual environment *folder* unless it works already; return its Python."""
    python = folder / "bin" / "python"
    if not _is_new_enough(python):
        run(
            [uv, "venv", "--quiet", "--clear", "--no-project", "--python", sys.executable, folder],
            what=f"making {folder.name}",
        )
    return python


def _is_new_enough(python: Path) -> bool:
    check = f"import sys; sys.exit(sys.version_info < {OLDEST})"
    try:
        done = subprocess.run([str(python), "-c", check], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def meltano_command(uv: Path) -> list[str]:
    """Return the command that runs Meltano in an environment of its own."""
    command = [str(uv), "tool", "run", "--quiet", "--python", sys.executable]
    if MELTANO_CONSTRAINTS.exists():
        command += ["--constraints", str(MELTANO_CONSTRAINTS)]
    return [*command, "--from", MELTANO, "meltano"]


def meltano_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment in which Meltano neither phones home nor asks the Hub."""
    return clean_environment(
        {
            # A closed port: a run that needs the Hub fails instead of asking it.
            "MELTANO_HUB_API_ROOT": "http://127.0.0.1:9",
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            "MELTANO_CLI_DISABLE_VERSION_CHECK": "true",
            "MELTANO_AUTO_INSTALL": "false",
            "NO_COLOR": "1",
            **(extra or {}),
        }
    )


if __name__ == "__main__":
    print(find_uv())
