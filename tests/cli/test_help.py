"""Help that teaches by example, a document that says the same, and completion in shells."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tap_tiktok_auth.cli.main import COMMANDS, main
from tests.scripts import ROOT, load

from .world import COMMAND

if TYPE_CHECKING:
    from pathlib import Path

    from .world import World

DOCUMENT = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
PATHS = [*COMMANDS, "store copy", "store rotate-key"]


def shown(*path: str) -> str:
    """Return the help of a command on 80 columns."""
    result = CliRunner().invoke(main, [*path, "--help"], terminal_width=80, prog_name="tiktok-auth")
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


@pytest.mark.parametrize("path", ["", *PATHS])
def test_help_fits_80_columns_and_has_an_example(path: str) -> None:
    """No line is wider than a usual terminal, but long names of scenarios; one shows a call."""
    lines = shown(*path.split()).splitlines()

    assert [line for line in lines if len(line) > 80 and "drop_reply" not in line] == []
    assert len([line for line in lines if f"tiktok-auth {path}" in line]) >= 2, "only the usage"


@pytest.mark.parametrize("command", ["login", "token", "exec", "revoke", "forget"])
def test_the_rule_without_a_name_is_in_the_help(command: str) -> None:
    """Each command about one connection tells what it takes without a name."""
    text = " ".join(shown(command).split())

    assert "Without NAME the only connection is meant" in text
    assert "else the one named default" in text


def test_the_list_of_commands_imports_none() -> None:
    """The help and the version come without the modules of any command, and without a store."""
    program = (
        "import sys\nfrom tap_tiktok_auth.cli.main import main\n"
        "main([sys.argv[1]], standalone_mode=False)\n"
        "own = [name for name in sys.modules if name.startswith('tap_tiktok_auth.')]\n"
        "print(*(name for name in own if 'store' in name or '.cli.' in name), file=sys.stderr)"
    )
    for option in ("--help", "--version"):
        done = subprocess.run(
            [sys.executable, "-c", program, option], capture_output=True, text=True, check=True
        )
        assert set(done.stderr.split()) == {f"tap_tiktok_auth.cli.{m}" for m in ("main", "output")}
        if option == "--help":
            assert all(f"  {name} " in done.stdout for name in COMMANDS)
            assert all(about in " ".join(done.stdout.split()) for _, about in COMMANDS.values())


def test_document_is_in_step() -> None:
    """The document says what the help says; else run scripts/sync_commands.py."""
    assert load("sync_commands").document() == DOCUMENT
    for path in PATHS:
        assert f"| [`{path}`](#{path.replace(' ', '-')}) |" in DOCUMENT
        assert f"\n## {path}\n" in DOCUMENT


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


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash here")
def test_the_documented_line_lets_bash_complete() -> None:
    """After the line of the help, bash offers the commands, and those of a group after its name."""
    (line,) = (line for line in shown().splitlines() if "bash_source tiktok-auth" in line)
    for words, expected in ((["tiktok-auth"], [*COMMANDS]),
                            (["tiktok-auth", "store"], ["copy", "rotate-key"])):  # fmt: skip
        program = (
            f"{line}\nCOMP_WORDS=({' '.join(words)} '')\nCOMP_CWORD={len(words)}\n"
            '_tiktok_auth_completion tiktok-auth\nprintf "%s\\n" "${COMPREPLY[@]}"'
        )
        path = f"{os.path.dirname(COMMAND)}:{os.environ['PATH']}"  # noqa: PTH120
        done = subprocess.run(
            ["bash", "--norc", "-c", program], env={**os.environ, "PATH": path},
            capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert done.stdout.split() == expected


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
