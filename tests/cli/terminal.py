"""A terminal of 80 columns, and what a person sees on it."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING

from .world import COMMAND

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_ESCAPE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_DEADLINE = 120.0


class Terminal:
    """A process on a terminal of its own.

    Args:
        arguments: Of the command.
        columns: Its width.
        environment: Variables beside those of the tests.
        command: What is run, `tiktok-auth` unless it is another.
        folder: Where it is run, if not here.
        base: The variables of the tests, if not their own environment.
    """

    def __init__(
        self,
        *arguments: str,
        columns: int = 80,
        environment: Mapping[str, str] | None = None,
        command: Sequence[str] = (COMMAND,),
        folder: Path | None = None,
        base: Mapping[str, str] = os.environ,
    ) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        hidden = {"COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CI"}
        inherited = {name: value for name, value in base.items() if name not in hidden}
        self.process = subprocess.Popen(
            ["setsid", "--ctty", *command, *arguments],
            cwd=folder,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env={**inherited, "TERM": "xterm-256color", "LANG": "C.UTF-8", **(environment or {})},
        )
        os.close(slave)
        self.raw = ""

    def wait_for(self, text: str) -> None:
        """Read until a text appears."""
        while text not in self.raw:
            assert self._read(), f"{text!r} did not appear in {self.raw!r}"

    def type(self, keys: str) -> None:
        """Press keys, once the process waits for them.

        Python notices a Ctrl-C late that comes between a prompt and the waiting for its answer.
        """
        stat = Path(f"/proc/{self.process.pid}/stat")
        wait_until(lambda: stat.read_text().rpartition(")")[2].split()[0] == "S")
        os.write(self._master, keys.encode())

    def end(self) -> int:
        """Read until the process has ended, and return its exit code."""
        while self._read():
            pass
        os.close(self._master)
        return self.process.wait(timeout=_DEADLINE)

    @property
    def lines(self) -> list[str]:
        """The lines without colours; of a line that was drawn again, its last state."""
        text = _ESCAPE.sub("", self.raw).replace("\r\n", "\n")
        return [line.rpartition("\r")[2] for line in text.splitlines()]

    def _read(self) -> bool:
        ready, _, _ = select.select([self._master], [], [], _DEADLINE)
        assert ready, f"no output for long after {self.raw!r}"
        try:
            data = os.read(self._master, 65_536)
        except OSError:  # Linux says so when the last process has closed the terminal
            return False
        self.raw += data.decode(errors="replace")
        return bool(data)


def run(
    *arguments: str, columns: int = 80, environment: Mapping[str, str] | None = None
) -> tuple[int, Terminal]:
    """Run `tiktok-auth` on a terminal; return its exit code and the terminal."""
    terminal = Terminal(*arguments, columns=columns, environment=environment)
    return terminal.end(), terminal


def wait_until(condition: Callable[[], object]) -> None:
    """Wait until a function returns something true."""
    deadline = time.monotonic() + _DEADLINE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
