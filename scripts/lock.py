"""Compile the pins, or check that they are still right.

`constraints.txt` pins what the tests and the tools need, `requirements.txt` what an installation
needs, `scripts/meltano-constraints.txt` Meltano's own environment, `scripts/uv-requirements.txt`
the uv that the scripts bring along. All carry hashes and no addresses.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from _bootstrap import MELTANO, MELTANO_CONSTRAINTS, ROOT, UV, fail, find_uv, run

# Without the oldest Python named, uv takes the one it runs beside as the oldest.
_OPTIONS = (
    *("--quiet", "--generate-hashes", "--universal", "--no-annotate", "--no-header"),
    *("--python-version", "3.10"),
)


def compile_project(uv: Path, output: Path) -> None:
    """Compile the project's pins to *output*, keeping those that it has."""
    wanted = ["pyproject.toml", "--all-extras", "--group", "dev"]
    run([uv, "pip", "compile", *wanted, *_OPTIONS, "-o", output], what="compiling the pins")


def compile_installation(uv: Path, output: Path) -> None:
    """Compile the pins of an installation, which are the project's, to *output*."""
    wanted = ["pyproject.toml", "--all-extras", "--group", "build", "-c", "constraints.txt"]
    run([uv, "pip", "compile", *wanted, *_OPTIONS, "-o", output], what="compiling the pins")


def compile_meltano(uv: Path, output: Path) -> None:
    """Compile Meltano's pins to *output*, keeping those that it has."""
    _compile_one(uv, MELTANO, output)


def compile_uv(uv: Path, output: Path) -> None:
    """Compile uv's own pin to *output*, keeping the one that it has."""
    _compile_one(uv, "uv", output)


def _compile_one(uv: Path, requirement: str, output: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "wanted.in"
        wanted.write_text(f"{requirement}\n", encoding="utf-8")
        command: list[str | Path] = [uv, "pip", "compile", wanted, *_OPTIONS, "-o", output]
        run(command, what=f"compiling the pins of {requirement}")


PINS = {
    ROOT / "constraints.txt": compile_project,
    ROOT / "requirements.txt": compile_installation,
    MELTANO_CONSTRAINTS: compile_meltano,
    UV: compile_uv,
}


def check(uv: Path) -> list[str]:
    """Return what is wrong with the pins."""
    problems = []
    for path, compiler in PINS.items():
        name = path.relative_to(ROOT)
        if not path.exists():
            problems.append(f"{name} is missing")
            continue
        text = path.read_text(encoding="utf-8")
        if "://" in text:
            problems.append(f"{name} contains an address")
        with tempfile.TemporaryDirectory() as folder:
            again = Path(folder) / path.name
            shutil.copy(path, again)
            compiler(uv, again)
            if again.read_text(encoding="utf-8") != text:
                problems.append(f"{name} is out of date")
    return problems


def main() -> int:
    """Compile or check; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--check", action="store_true", help="exit 1 if the pins are out of date")
    what.add_argument("--write", action="store_true", help="compile them, keeping what fits")
    chosen = parser.parse_args()
    uv = find_uv()
    if chosen.write:
        for path, compiler in PINS.items():
            compiler(uv, path)
        return 0
    problems = check(uv)
    if problems:
        fail("; ".join(problems) + ". Run: python3 scripts/lock.py --write")
    return 0


if __name__ == "__main__":
    sys.exit(main())
