"""The terminal of the person who runs a command: showing lines, asking questions.

Under Meltano stdin is the terminal, while stderr is a pipe of which whole lines are logged. What a
person must see goes to the terminal itself then.
"""

from __future__ import annotations

import os
import sys
import termios
from contextlib import contextmanager, nullcontext, suppress
from typing import TYPE_CHECKING

import click

from tap_tiktok_auth.errors import Interrupted
from tap_tiktok_auth.login.listener import TypedLines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.process import Stop

#: Seconds between two looks at whether the process was told to stop.
_STEP = 0.2


def is_attended() -> bool:
    """Whether a person can be asked: stdin is a terminal, and not that of a CI job."""
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        return False
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def say(line: str = "") -> None:
    """Print a line of the conversation, which is not the result."""
    _show(f"{line}\n")


def ask(label: str, *, hidden: bool = False, optional: bool = False) -> str:
    """Return what the person types, without blanks around it.

    Args:
        label: What is asked for.
        hidden: Do not show what is typed.
        optional: Take an empty line for an answer.

    Raises:
        click.Abort: The person ends the input.
    """
    while True:
        with _unseen() if hidden else nullcontext():
            answer = _answer(f"{label}: ").strip()
        if optional or answer:
            return answer


def confirm(question: str, stop: Stop | None = None) -> bool:
    """Return whether the person says yes; a bare Enter is a no.

    Args:
        question: The question.
        stop: Ends the wait for the answer while signals are held back.

    Raises:
        click.Abort: The person ends the input.
        Interrupted: The process was told to stop.
    """
    answers = {"y": True, "yes": True, "n": False, "no": False, "": False}
    while True:
        answer = _answer(f"{question} [y/N]: ", stop).strip().lower()
        if answer in answers:
            return answers[answer]


def _answer(prompt: str, stop: Stop | None = None) -> str:
    try:
        _show(prompt)
        return _typed_line(stop)
    except BaseException:
        _show("\n")  # what follows does not stand behind the prompt
        raise


def _typed_line(stop: Stop | None) -> str:
    typed = TypedLines(sys.stdin.fileno())
    while (line := typed.line(_STEP)) is None:
        if typed.ended:
            raise click.Abort
        if stop is not None and stop.is_set():
            raise Interrupted("told to stop")
    return line


@contextmanager
def _unseen() -> Iterator[None]:
    """Have the terminal not show what is typed, from before the prompt on."""
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    quiet = [*before]
    quiet[3] &= ~termios.ECHO
    termios.tcsetattr(terminal, termios.TCSADRAIN, quiet)
    try:
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
    _show("\n")


def _show(text: str) -> None:
    """Write to stderr, or to the terminal itself if stderr leads away from the person there."""
    if is_attended() and not sys.stderr.isatty():
        for screen in ("/dev/tty", sys.stdin.fileno()):
            with suppress(OSError), open(screen, "wb", 0, closefd=screen == "/dev/tty") as terminal:
                terminal.write(text.encode(errors="replace"))
                return
    click.echo(text, nl=False, err=True)
