"""`tiktok-auth doctor`."""

from __future__ import annotations

import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING

import click

from tap_tiktok_auth.cli.common import config_option, json_option, load, print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_tiktok_auth.doctor.findings import Finding

_COLOURS = {"ok": "green", "info": "blue", "warning": "yellow", "problem": "red"}
_INDENT = 9


@click.command()
@config_option
@json_option
def doctor(config_paths: tuple[str, ...], as_json: bool) -> None:
    """Check config, key, store and the way to TikTok; say how to mend what is wrong.

    No token is used or changed, and TikTok's hosts get no credential. Exit code 3 if a person
    must authorise, 1 if something else does not work, else 0.

    \b
      tiktok-auth doctor
      tiktok-auth doctor --config config.json
      tiktok-auth doctor --json | jq -r '.[] | select(.level == "problem").mend'
    """  # noqa: D301  (click's mark for text that keeps its lines)
    from tap_tiktok_auth.doctor.examination import examine  # noqa: PLC0415  (imports everything)
    from tap_tiktok_auth.doctor.findings import exit_code  # noqa: PLC0415

    findings = examine(lambda: load(config_paths), config_paths, os.environ)
    if as_json:
        print_json([finding.as_json() for finding in findings])
    else:
        _show(findings)
    sys.exit(exit_code(findings))


def _show(findings: Sequence[Finding]) -> None:
    """Print the findings; a line fits the terminal, and is whole in a pipe."""
    is_terminal = sys.stdout.isatty()
    width = max(shutil.get_terminal_size().columns, 40) if is_terminal else 100_000
    colours = is_terminal and not os.environ.get("NO_COLOR")
    for finding in findings:
        head = f"{finding.level:<{_INDENT}}"
        if colours:
            head = click.style(head, fg=_COLOURS[finding.level])
        click.echo(head + _wrapped(finding.message, width), color=colours)
        if finding.mend is not None:
            click.echo(" " * _INDENT + _wrapped(f"-> {finding.mend}", width), color=colours)
    levels = [finding.level for finding in findings]
    click.echo(f"{_count(levels, 'problem')}, {_count(levels, 'warning')}")


def _count(levels: Sequence[str], level: str) -> str:
    number = levels.count(level)
    return f"{number} {level}" if number == 1 else f"{number} {level}s"


def _wrapped(text: str, width: int) -> str:
    # A command or a path that is broken in two cannot be copied.
    lines = textwrap.wrap(
        text, width - _INDENT, break_long_words=False, break_on_hyphens=False
    ) or [""]
    return f"\n{' ' * _INDENT}".join(lines)
