"""Compile the pins, or check that they are still right.

`constraints.txt` pins what the tests and the tools need; `scripts/meltano-constraints.txt` pins
Meltano's own environment. Both carry hashes and no addresses.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from _bootstrap import MELTANO, MELTANO_CONSTRAINTS, ROOT, fail, find_uv, run

# Without the oldest Python named, uv takes the one it runs beside as the oldest.
_OPTIONS = (
    *("--quiet", "--generate-hashes", "--universal", "--no-annotate", "--no-header"),
    *("--python-version", "3.10"),
)


def compile_project(uv: Path, output: Path) -> None:
    """Compile the project's pins to *output*, keeping those that it has."""
    wanted = ["pyproject.toml", "--all-extras", "--group", "dev"]
    run([uv, "pip", "compile", *wanted, *_OPTIONS, "-o", output], what="compiling the pins")


def compile_meltano(uv: Path, output: Path) -> None:
    """Compile Meltano's pins to *output*, keeping those that it has."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "meltano.in"
        wanted.write_text(f"{MELTANO}\n", encoding="utf-8")
        command: list[str | Path] = [uv, "pip", "compile", wanted, *_OPTIONS, "-o", output]
        run(command, what="compiling Meltano's pins")


def check(uv: Path) -> list[str]:
    """Return what is wrong with the pins."""
    problems = []
    for path, compiler in (
        (ROOT / "constraints.txt", compile_project),
        (MELTANO_CONSTRAINTS, compile_meltano),
    ):
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
        compile_project(uv, ROOT / "constraints.txt")
        compile_meltano(uv, MELTANO_CONSTRAINTS)
        return 0
    problems = check(uv)
    if problems:
        fail("; ".join(problems) + ". Run: python3 scripts/lock.py --write")
    return 0


if __name__ == "__main__":
    sys.exit(main())
