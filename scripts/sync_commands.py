"""Write `docs/commands.md` from the help of the commands."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tap_tiktok_auth.cli.main import COMMANDS, SECTIONS, main

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = "docs/commands.md"
_WIDTH = 80
_INTRODUCTION = """\
# Commands

<!-- Made from the help of the commands by scripts/sync_commands.py. -->

`tap-tiktok-auth` is the Singer tap. `tiktok-auth` is for people and scripts, over the same token
store. Every command reads the same settings: `TAP_TIKTOK_AUTH_*` variables, and the tap's config
files with `--config FILE`, which win.

A command about one connection takes, without NAME, the only one there is, else the one named
`default`; what ends a connection asks first.

Results go to stdout, all else to stderr. A terminal gets tables, a pipe gets plain text whose
columns are separated by spaces, and `--json` gives JSON and nothing else.

| exit code | |
|---|---|
| 0 | all is well |
| 1 | an error; one line on stderr says what, and what to do |
| 2 | wrong usage |
| 3 | a person must authorise: `tiktok-auth login NAME` |
| 130 | Ctrl-C |
"""


def commands(group: click.Context | None = None) -> Iterator[click.Context]:
    """Return all commands, and the subcommands of groups, in the order of the help."""
    above = group or _context(main, "tiktok-auth", None)
    assert isinstance(above.command, click.Group)
    names = above.command.list_commands(above) if group else _in_sections()
    for name in names:
        command = above.command.get_command(above, name)
        assert command is not None
        context = _context(command, name, above)
        yield context
        if isinstance(command, click.Group):
            yield from commands(context)


def document() -> str:
    """Return the text of the document."""
    table = ["| command | |", "|---|---|"]
    details = []
    for context in commands():
        path = context.command_path
        title = path.removeprefix("tiktok-auth ")
        about = COMMANDS[title][1] if title in COMMANDS else context.command.get_short_help_str(99)
        table.append(f"| [`{title}`](#{title.replace(' ', '-')}) | {about} |")
        details.append(f"## {title}\n\n```text\n{_help(context)}\n```")
    return "\n\n".join([_INTRODUCTION.rstrip(), "\n".join(table), *details]) + "\n"


def _in_sections() -> list[str]:
    return [name for names in SECTIONS.values() for name in names if name in COMMANDS]


def _context(command: click.Command, name: str, parent: click.Context | None) -> click.Context:
    return click.Context(
        command,
        info_name=name,
        parent=parent,
        terminal_width=_WIDTH,
        max_content_width=_WIDTH,
        help_option_names=["-h", "--help"],
    )


def _help(context: click.Context) -> str:
    return "\n".join(line.rstrip() for line in context.get_help().splitlines())


def _main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether it is in step")
    arguments = parser.parse_args()
    path, text = ROOT / DOCUMENT, document()
    if path.is_file() and path.read_text(encoding="utf-8") == text:
        return 0
    if arguments.check:
        print(f"{DOCUMENT} is out of step, run: python scripts/sync_commands.py")
        return 1
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(_main())
