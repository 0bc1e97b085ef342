"""Help that teaches by example, and a document that says the same."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from tap_tiktok_auth.cli import COMMANDS, SECTIONS, main
from tests.scripts import ROOT, load

if TYPE_CHECKING:
    from types import ModuleType

DOCUMENT = ROOT / "docs" / "commands.md"
PATHS = [*COMMANDS, "store copy", "store rotate-key"]


@pytest.fixture(scope="module")
def sync() -> ModuleType:
    """Return the script that writes the document."""
    return load("sync_commands")


def shown(*path: str) -> str:
    """Return the help of a command on 80 columns."""
    result = CliRunner().invoke(main, [*path, "--help"], terminal_width=80, prog_name="tiktok-auth")
    assert (result.exit_code, result.stderr) == (0, "")
    return result.stdout


@pytest.mark.parametrize("path", PATHS)
def test_help_has_an_example(path: str) -> None:
    """The help of each command shows how it is called, on a line of its own."""
    examples = [line for line in shown(*path.split()).splitlines() if f"tiktok-auth {path}" in line]

    assert len(examples) >= 2, "only the usage line"


@pytest.mark.parametrize("path", ["", *PATHS])
def test_help_fits_80_columns(path: str) -> None:
    """No line of the help is wider than a usual terminal, but long names of scenarios."""
    wide = [line for line in shown(*path.split()).splitlines() if len(line) > 80]

    assert [line for line in wide if "drop_reply" not in line] == []


def test_every_command_is_in_one_group_of_the_help() -> None:
    """The help groups all commands, and knows no other but those of the table."""
    grouped = [name for names in SECTIONS.values() for name in names]

    assert sorted(grouped) == sorted(COMMANDS)


def test_first_line_of_help_is_that_of_the_table() -> None:
    """The list of commands is written without importing them, and says each name once."""
    text = shown()

    for name, (_, _, about) in COMMANDS.items():
        assert f"  {name} " in text
        assert about in text


@pytest.mark.parametrize("path", PATHS)
def test_document_has_every_command(path: str) -> None:
    """Each command has a row in the table of the document, and a section of its own."""
    text = DOCUMENT.read_text(encoding="utf-8")

    assert f"| [`{path}`](#{path.replace(' ', '-')}) |" in text
    assert f"\n## {path}\n" in text


def test_document_is_in_step(sync: ModuleType) -> None:
    """The document says what the help says; else run scripts/sync_commands.py."""
    assert sync.document() == DOCUMENT.read_text(encoding="utf-8")


def test_help_imports_no_command() -> None:
    """To list the commands, or to show the version, none of them is imported."""
    for option in ("--help", "--version"):
        program = (
            "import sys\nfrom tap_tiktok_auth.cli import main\n"
            f"main([{option!r}], standalone_mode=False)\n"
            "print([m for m in sys.modules if m.startswith('tap_tiktok_auth.cli.')])"
        )
        assert _run(program).endswith("\n[]\n")


def _run(program: str) -> str:
    import subprocess  # noqa: PLC0415

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout
