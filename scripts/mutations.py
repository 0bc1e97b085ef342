#!/usr/bin/env python3
"""Change the core at random, one place at a time, and tell which changes no test notices.

`.venv/bin/python scripts/mutations.py --count 200 --seed 7`

Works in temporary copies of the project. First all tests are run once, to learn which test runs
which lines; then for each change those that run its lines, the quickest first, and the rest of the
tests only if none of these fails. What remains unnoticed is shown as a diff, for a person to judge:
either a test is missing, or the change makes no difference.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import os
import queue
import random
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from _bootstrap import ROOT, clean_environment, fail, progress
from _mutants import Mutant, mutants_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

CORE = (
    "tap_tiktok_auth/credentials",
    "tap_tiktok_auth/store",
    "tap_tiktok_auth/http",
    "tap_tiktok_auth/process.py",
)
#: Tests of minutes are left out, as are those in a browser, which the core never sees.
MARKS = "not chaos and not meltano and not browser"
#: How many of the tests that run a line are tried before all others of them.
FIRST = 40
#: Seconds without a result after which a run hangs: as many times as expected, and at least.
TIMES_EXPECTED, AT_LEAST = 5.0, 60.0
#: Memory that a process of a test may take; a change may make a loop that never ends.
MEMORY = 6 * 2**30

_NOT_COPIED = shutil.ignore_patterns(".git", ".venv*", ".tools", "__pycache__", ".*_cache")
_NOTICED_BY = re.compile(r"^(?:FAILED|ERROR) (.+?)(?: - .*)?$", re.MULTILINE)

Verdict = Literal["noticed", "hangs", "NOT NOTICED"]


class Copy:
    """A copy of the project, with an environment whose Python imports the copy."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder = folder
        self.notes = folder.with_suffix(".lines")
        shutil.copytree(root, folder, ignore=_NOT_COPIED, symlinks=True)
        former, own = Path(sys.prefix), folder / ".venv"
        packages = Path(sysconfig.get_path("purelib")).relative_to(former)
        self._packages = own / packages
        self._packages.mkdir(parents=True)
        (own / "bin").mkdir()
        shutil.copy(former / "pyvenv.cfg", own)
        for entry in (former / packages).iterdir():
            if entry.suffix == ".pth":
                text = entry.read_text(encoding="utf-8").replace(str(root), str(folder))
                (self._packages / entry.name).write_text(text, encoding="utf-8")
            elif entry.name != "__pycache__":
                (self._packages / entry.name).symlink_to(entry)
        for entry in (former / "bin").iterdir():
            _copy_command(entry, own / "bin" / entry.name, former, own)
        if sys.platform == "linux":  # elsewhere there is no such limit
            limit = f"resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))"
            self._start_everywhere(f"import resource; {limit}", "_limits")
        self._written = 0

    def _start_everywhere(self, line: str, name: str) -> None:
        (self._packages / f"{name}.pth").write_text(f"{line}\n", encoding="utf-8")

    def trace(self, paths: Sequence[str]) -> None:
        """Have all Python processes of the copy note the lines that they run."""
        shutil.copy(Path(__file__).with_name("_line_trace.py"), self._packages)
        self.notes.touch()
        arguments = ", ".join(repr(str(path)) for path in (self.notes, *map(self._path, paths)))
        self._start_everywhere(f"import _line_trace; _line_trace.start({arguments})", "_trace")

    def trace_no_more(self) -> None:
        """Let everything run as fast as it can."""
        (self._packages / "_trace.pth").unlink()

    def _path(self, path: str) -> Path:
        return self.folder / path

    def write(self, path: str, source: str) -> None:
        """Write a module, in a way that no bytecode of a former one is taken for it."""
        file = self._path(path)
        file.write_text(source, encoding="utf-8")
        self._written += 1
        moment = 1_000_000_000 + self._written
        os.utime(file, (moment, moment))

    def pytest(self, *arguments: str, timeout: float) -> tuple[int | None, str]:
        """Run pytest; return exit code and output, or no exit code if it has not ended in time."""
        command = [self._path(".venv/bin/python"), "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        process = subprocess.Popen(
            [*map(str, command), *arguments],
            cwd=self.folder,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGINT)  # lets fixtures stop the servers they started
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.communicate(timeout=10)
            return None, ""
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return process.returncode, output

    def run_tests(self, names: list[str], timeout: float) -> tuple[int | None, str]:
        """Run tests in this order until one fails."""
        chosen = self.folder.with_suffix(".tests")
        chosen.write_text("\n".join(names), encoding="utf-8")
        return self.pytest("-x", f"@{chosen}", timeout=timeout)


def _copy_command(entry: Path, copy: Path, former: Path, own: Path) -> None:
    if entry.is_symlink():
        copy.symlink_to(entry.readlink())
    elif entry.read_bytes()[:2] == b"#!":
        copy.write_bytes(entry.read_bytes().replace(os.fsencode(former), os.fsencode(own)))
        copy.chmod(0o755)
    else:
        copy.symlink_to(entry)


@dataclass
class Coverage:
    """What was learned from the run of all tests on the code as it is.

    Attributes:
        tests: The tests that run each line, by module and line.
        seconds: How long each test takes; a test that fails as it is has none.
    """

    tests: defaultdict[tuple[str, int], set[str]] = field(default_factory=lambda: defaultdict(set))
    seconds: dict[str, float] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)

    def read(self, copy: Copy) -> None:
        """Add what the processes of a copy have noted."""
        test = ""
        prefix = f"{copy.folder}{os.sep}"
        for note in copy.notes.read_text(encoding="utf-8", errors="replace").splitlines():
            kind, _, rest = note.partition(" ")
            if kind == "T":
                test = rest
            elif kind == "L":
                line, _, path = rest.partition(" ")
                self.tests[path.removeprefix(prefix), int(line)].add(test)
            elif kind == "D":
                seconds, outcome, name = rest.split(" ", 2)
                self.seconds[name] = self.seconds.get(name, 0.0) + float(seconds)
                if outcome == "failed":
                    self.failed.add(name)

    def tests_of(self, mutant: Mutant) -> list[str]:
        """Return the tests that run a change, in the order in which they are likely to be quick."""
        run: set[str] = set()
        for (path, line), tests in self.tests.items():
            if path == mutant.path and (not mutant.in_function or line in mutant.run_with):
                run |= tests
        return sorted(run & self.useful, key=lambda name: (round(self.seconds[name], 1), name))

    @property
    def useful(self) -> set[str]:
        """The tests that hold as the code is."""
        return self.seconds.keys() - self.failed


@dataclass(frozen=True)
class Result:
    """What the tests said of one change."""

    mutant: Mutant
    verdict: Verdict
    by: str = ""

    def __str__(self) -> str:
        text = f"{self.verdict:11}  {self.mutant.place}  {self.mutant.kind}"
        if self.verdict == "NOT NOTICED":
            return f"{text}\n{self.mutant.diff}"
        return f"{text}  {self.by}"


class Laboratory:
    """Copies of the project in which changes are tried, several at a time.

    Args:
        root: The project.
        paths: The files and folders to change, below it.
        marks: Which tests to run.
        jobs: How many copies to work in.
    """

    def __init__(self, root: Path, paths: Sequence[str], marks: str, jobs: int) -> None:
        self._root, self._paths, self._marks, self._jobs = root, paths, marks, jobs
        self._copies: queue.SimpleQueue[Copy] = queue.SimpleQueue()
        self.coverage = Coverage()

    @contextlib.contextmanager
    def open(self) -> Iterator[None]:
        """Make the copies, and delete them at the end."""
        with tempfile.TemporaryDirectory(prefix="mutations-") as folder:
            Path(folder).chmod(0o755)  # some tests work as another user
            for number in range(self._jobs):
                self._copies.put(Copy(self._root, Path(folder).resolve() / str(number)))
            yield

    @contextlib.contextmanager
    def _copy(self) -> Iterator[Copy]:
        copy = self._copies.get()
        try:
            yield copy
        finally:
            self._copies.put(copy)

    def measure(self) -> None:
        """Run all tests once, and learn which lines each of them runs."""
        files = sorted(
            str(file.relative_to(self._root)) for file in self._root.glob("tests/**/test_*.py")
        )
        shares = [files[number :: self._jobs] for number in range(self._jobs)]
        lock = threading.Lock()

        def run(share: list[str]) -> None:
            with self._copy() as copy:
                copy.trace(self._paths)
                code, output = copy.pytest(
                    "-p", "_line_trace", "-m", self._marks, *share, timeout=3600.0
                )
                copy.trace_no_more()
                with lock:
                    self.coverage.read(copy)
                if code not in (0, 1, 5) or not self.coverage.seconds:
                    fail(f"the tests do not run on the code as it is:\n{output}")

        with ThreadPoolExecutor(self._jobs) as pool:
            list(pool.map(run, [share for share in shares if share]))

    def judge(self, mutant: Mutant, *, everything: bool, patience: float) -> Result:
        """Let the tests run on one change, as many of those that run it as are patient enough."""
        spent = 0.0
        tests: list[str] = []
        for name in self.coverage.tests_of(mutant):
            spent += self.coverage.seconds[name]
            if not tests or spent <= patience:
                tests.append(name)
        rest = sorted(self.coverage.useful - set(tests)) if everything else []
        with self._copy() as copy:
            copy.write(mutant.path, mutant.changed)
            try:
                for names in (tests[:FIRST], tests[FIRST:], rest):
                    result = self._run(copy, mutant, names)
                    if result is not None:
                        return result
            finally:
                copy.write(mutant.path, mutant.source)
        return Result(mutant, "NOT NOTICED")

    def _run(self, copy: Copy, mutant: Mutant, names: list[str]) -> Result | None:
        while names:
            expected = sum(self.coverage.seconds[name] for name in names)
            code, output = copy.run_tests(names, AT_LEAST + TIMES_EXPECTED * expected)
            if code is None:
                return Result(mutant, "hangs")
            if code == 0:
                return None
            found = _NOTICED_BY.search(output)
            by = found[1] if found else ""
            if by not in self.coverage.seconds:
                if "ERROR: not found" in output:
                    fail(f"tests that were there are not found any more:\n{output}")
                return Result(mutant, "noticed", by or f"pytest ends with {code}")
            # A test that fails once and holds the next time was disturbed by something else.
            if copy.run_tests([by], AT_LEAST + TIMES_EXPECTED * expected)[0] != 0:
                return Result(mutant, "noticed", by)
            names = [name for name in names if name != by]
        return None


def choose(sources: dict[str, str], count: int, chance: random.Random) -> list[Mutant]:
    """Return changes of different places, as many of each kind as there are."""
    by_kind: defaultdict[str, list[Mutant]] = defaultdict(list)
    for path, source in sorted(sources.items()):
        for mutants in mutants_of(path, source):
            mutant = chance.choice(mutants)
            by_kind[mutant.kind].append(mutant)
    for mutants in by_kind.values():
        chance.shuffle(mutants)
    chosen: list[Mutant] = []
    for kind in cycle(sorted(by_kind)):
        if len(chosen) == count or not any(by_kind.values()):
            break
        if by_kind[kind]:
            chosen.append(by_kind[kind].pop())
    return chosen


def sources_below(root: Path, paths: Sequence[str]) -> dict[str, str]:
    """Return the modules below some files and folders."""
    files: set[Path] = set()
    for path in paths:
        there = root / path
        files |= {there} if there.is_file() else set(there.rglob("*.py"))
    if not files:
        fail(f"no module is below {', '.join(paths)}")
    return {str(file.relative_to(root)): file.read_text(encoding="utf-8") for file in files}


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("paths", nargs="*", default=CORE, help="files and folders to change")
    parser.add_argument("--count", type=int, default=200, help="how many changes to make")
    parser.add_argument("--seed", type=int, help="for the same changes again")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--least", type=float, default=0.95, help="share that must be noticed")
    parser.add_argument("--marks", default=MARKS, help="which tests to run, as for pytest -m")
    parser.add_argument("--root", type=Path, default=ROOT, help="the project")
    parser.add_argument(
        "--only-touching", action="store_true", help="leave out tests that do not run the change"
    )
    parser.add_argument(
        "--patience", type=float, default=math.inf, metavar="SECONDS",
        help="of the tests that run a change, try the quickest, for so long (default: all)",
    )  # fmt: skip
    return parser.parse_args(given)


def main(given: Sequence[str]) -> int:
    """Try the changes; return 1 if too many of them are not noticed."""
    options = arguments(given)
    if sys.prefix == sys.base_prefix:
        fail("run it with the Python of a virtual environment: .venv/bin/python scripts/…")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(10_000)
    paths = [path.rstrip("/") for path in options.paths]
    root = options.root.resolve()
    mutants = choose(sources_below(root, paths), options.count, random.Random(seed))
    laboratory = Laboratory(root, paths, options.marks, max(1, options.jobs))
    results = []
    with laboratory.open():
        progress(f"seed {seed}; running all tests, to learn which lines each of them runs")
        started = time.monotonic()
        laboratory.measure()
        coverage = laboratory.coverage
        progress(
            f"{len(coverage.seconds)} tests in {time.monotonic() - started:.0f} s;"
            f" {len(coverage.failed)} failed and are not used: {sorted(coverage.failed)}"
        )

        def judge(mutant: Mutant) -> Result:
            everything = not options.only_touching
            return laboratory.judge(mutant, everything=everything, patience=options.patience)

        pool = ThreadPoolExecutor(max(1, options.jobs))
        try:
            for result in pool.map(judge, mutants):
                print(result, flush=True)
                results.append(result)
        finally:
            pool.shutdown(cancel_futures=True)  # after Ctrl-C no further change is tried
    noticed = sum(result.verdict != "NOT NOTICED" for result in results)
    share = noticed / len(results) if results else 1.0
    print(f"{noticed} of {len(results)} changes noticed ({share:.1%}), seed {seed}")
    return 0 if share >= options.least else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
