"""`tiktok-auth completion`: shells that know the commands."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from click.testing import CliRunner

from tap_tiktok_auth.cli import COMMANDS, main

from .world import COMMAND


def completed(line: str) -> list[str]:
    """Return what bash would offer after *line*, through the real script in a real bash."""
    script = CliRunner().invoke(main, ["completion", "bash"]).stdout
    words = line.split(" ")
    program = (
        f"{script}\nCOMP_WORDS=({' '.join(words)!s} '')\nCOMP_CWORD={len(words)}\n"
        '_tiktok_auth_completion tiktok-auth\nprintf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{os.path.dirname(COMMAND)}:{os.environ['PATH']}"  # noqa: PTH120
    done = subprocess.run(
        ["bash", "--norc", "-c", program],
        env={**os.environ, "PATH": path},
        capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    return done.stdout.split()


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_offers_all_commands() -> None:
    """After the program's name, bash offers each command."""
    assert completed("tiktok-auth") == list(COMMANDS)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_bash_offers_subcommands() -> None:
    """After a group's name, bash offers its commands."""
    assert completed("tiktok-auth store") == ["copy", "rotate-key"]


@pytest.mark.parametrize(
    ("shell", "mark"),
    [("bash", "complete -o"), ("zsh", "#compdef tiktok-auth"), ("fish", "complete --")],
)
def test_each_shell_has_its_script(shell: str, mark: str) -> None:
    """The script is the one of the shell that was asked for, or of the variable SHELL."""
    named = CliRunner().invoke(main, ["completion", shell])
    found = CliRunner().invoke(main, ["completion"], env={"SHELL": f"/usr/bin/{shell}"})

    assert named.exit_code == 0
    assert mark in named.stdout
    assert found.stdout == named.stdout


@pytest.mark.parametrize("arguments", [["tcsh"], []])
def test_unknown_shell_is_a_usage_error(arguments: list[str]) -> None:
    """A shell that click does not know is refused with the list of those it does."""
    result = CliRunner().invoke(main, ["completion", *arguments], env={"SHELL": "/bin/tcsh"})

    assert result.exit_code == 2
    assert "bash" in result.stderr
    assert "fish" in result.stderr
