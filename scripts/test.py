#!/usr/bin/env python3
"""Run the test suite, from nothing: makes `.venv` and installs the pinned dependencies.

Extra arguments go to pytest, paths are below the repository:
`python3 scripts/test.py tests/unit -k settings`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from _bootstrap import (
    ROOT,
    clean_environment,
    fail,
    find_uv,
    make_environment,
    pip_install,
    progress,
    require_python,
)


def main() -> int:
    """Set up, run pytest, return its exit code."""
    require_python()
    uv = find_uv()
    progress("setting up .venv from constraints.txt")
    python = make_environment(uv, ROOT / ".venv")
    pinned = ["--require-hashes", "--requirement", "constraints.txt"]
    pip_install(uv, python, *pinned, what="installing the pinned dependencies")
    pip_install(uv, python, "--no-deps", "--editable", ".", what="installing the project")
    check_browser()
    arguments = sys.argv[1:]
    workers = [] if _chooses_workers(arguments) else ["-n", str(_workers()), "--dist", "loadgroup"]
    command = [str(python), "-m", "pytest", *workers, *arguments]
    return subprocess.run(command, cwd=ROOT, env=clean_environment(), check=False).returncode


def check_browser() -> None:
    """Say how to get Chromium if it is missing; in CI its absence is an error."""
    if shutil.which("chromium") or shutil.which("chromium-browser"):
        return
    message = "the browser tests need Chromium: apt-get install chromium"
    if os.environ.get("CI") == "true":
        fail(message)
    progress(f"{message} (they are skipped without it)")


def _chooses_workers(arguments: list[str]) -> bool:
    return any(a.startswith(("-n", "--numprocesses")) or a == "--pdb" for a in arguments)


def _workers() -> int:
    return max(2, min(os.cpu_count() or 2, 8))


if __name__ == "__main__":
    sys.exit(main())
