"""The lines that each test runs, noted by a tracer in all Python processes of the test.

`mutations.py` copies this file into the environment of its copy of the project: a `.pth` file
starts the tracer in every process, and pytest loads it as a plugin that notes where a test begins.
All write to one file, line by line: `T <test>`, `D <seconds> <outcome> <test>`, `L <line> <file>`.

The tracer is there before pytest is, hence: PYTEST_DONT_REWRITE
"""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from types import CodeType, FrameType

_seen: dict[CodeType, set[int]] = {}
_sources: dict[str, bool] = {}
_prefixes: tuple[str, ...] = ()
_notes = -1


def start(notes: str, *prefixes: str) -> None:
    """Note into the file *notes* the lines run of all source files whose path begins so."""
    global _notes, _prefixes  # noqa: PLW0603  (a tracer is one for each process)
    with suppress(OSError):
        _notes = os.open(notes, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
        _prefixes = prefixes
        threading.settrace(_enter)
        sys.settrace(_enter)


def _enter(frame: FrameType, event: str, argument: object) -> Any:  # noqa: ANN401  (sys.settrace's)
    del event, argument
    code = frame.f_code
    wanted = _sources.get(code.co_filename)
    if wanted is None:
        wanted = _sources[code.co_filename] = code.co_filename.startswith(_prefixes)
    if not wanted:
        return None
    if code not in _seen:
        _seen[code] = {line for *_, line in code.co_lines() if line} - {code.co_firstlineno}
    return _line if _seen[code] else None


def _line(frame: FrameType, event: str, argument: object) -> Any:  # noqa: ANN401  (sys.settrace's)
    del argument
    if event == "line":
        unseen = _seen.get(frame.f_code)
        if unseen and frame.f_lineno in unseen:
            unseen.discard(frame.f_lineno)
            _note(f"L {frame.f_lineno} {frame.f_code.co_filename}")
    return _line


def _note(text: str) -> None:
    # Each note is written at once, so that it is there when the process is killed.
    with suppress(OSError):
        os.write(_notes, f"{text}\n".encode("utf-8", "replace"))


def pytest_runtest_logstart(nodeid: str) -> None:
    """Note that a test begins; what it runs is new again."""
    _seen.clear()
    _note(f"T {nodeid}")


def pytest_runtest_logreport(report: Any) -> None:  # noqa: ANN401  (pytest need not be there)
    """Note how long a part of a test took, and how it ended."""
    _note(f"D {report.duration:.3f} {report.outcome} {report.nodeid}")
