"""`tiktok-auth completion`: shells that know the commands."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tap_tiktok_auth.cli import COMMANDS, main

from .world import COMMAND

if TYPE_CHECKING:
    from pathlib import Path

    from .world import World


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


def offered(*arguments: str, **environment: str) -> list[str]:
    """Return what click offers for the last of the arguments, as its scripts ask for it."""
    done = subprocess.run(
        [COMMAND],
        env={
            **os.environ,
            **environment,
            "_TIKTOK_AUTH_COMPLETE": "bash_complete",
            "COMP_WORDS": " ".join(["tiktok-auth", *arguments]),
            "COMP_CWORD": str(len(arguments)),
        },
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stderr == ""
    return [line.partition(",")[2] for line in done.stdout.splitlines()]


@pytest.mark.parametrize("command", ["token", "exec", "status", "refresh", "revoke", "forget"])
def test_names_are_offered(world: World, command: str) -> None:
    """Connections of the store and of the config are offered, without the store's key."""
    world.keep("acme")
    world.keep("zeta")
    environment = world.configure(acorn="accounts")
    key = {"TAP_TIKTOK_AUTH_TOKEN_STORE_KEY": "of another store"}

    assert offered(command, "ac", **environment, **key) == ["acme", "acorn"]
    assert world.tiktok.calls() == []


def test_names_of_a_config_file_are_offered(world: World, tmp_path: Path) -> None:
    """A config file that stands before the name is read."""
    world.keep("acme")
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"token_store": world.url, "connections": [{"name": "beta"}]}))
    variables = dict.fromkeys(world.environment, "")

    assert offered("token", "--config", str(file), "", **variables) == ["acme", "beta"]


@pytest.mark.parametrize(
    "url",
    ["postgresql://192.0.2.1/tokens", "sqlite:////nowhere/tokens.db", "nonsense", "sqlite:///etc"],
)
def test_a_store_that_cannot_be_asked_offers_nothing(
    world: World, tmp_path: Path, url: str
) -> None:
    """No network is used to complete a name, no store is made, and nothing is complained about."""
    environment = {"TAP_TIKTOK_AUTH_TOKEN_STORE": url, "XDG_DATA_HOME": str(tmp_path / "data")}

    assert offered("token", "", **world.configure(acme="accounts"), **environment) == ["acme"]
    assert not (tmp_path / "data").exists()


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
