"""`tiktok-auth doctor`."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from tap_tiktok_auth.cli import common, output
from tap_tiktok_auth.cli.connections_view import grouped, others
from tap_tiktok_auth.doctor.examination import examine
from tap_tiktok_auth.doctor.findings import exit_code
from tap_tiktok_auth.errors import completed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tap_tiktok_auth.doctor.findings import Finding

_COLOURS = {"ok": "green", "info": "blue", "warning": "yellow", "problem": "red"}
_INDENT = 9


@click.command()
@common.config_option
@common.json_option
def doctor(config_paths: tuple[str, ...], as_json: bool) -> None:
    """Check config, key, store and the connection to TikTok; say how to fix what is wrong.

    No token is used or changed, and TikTok's hosts get no credential. Exit code 3 if a person
    must authorise, 1 if something else does not work, else 0.

    \b
      tiktok-auth doctor
      tiktok-auth doctor --config config.json
      tiktok-auth doctor --json | jq -r '.[] | select(.level == "problem").mend'
    """
    findings = examine(lambda: common.load(config_paths), config_paths, os.environ)
    if as_json:
        output.print_json([finding.as_json() for finding in findings])
    else:
        _print(findings)
    sys.exit(exit_code(findings))


def _print(findings: Sequence[Finding]) -> None:
    """Print the findings, of many alike the first, within the terminal or in whole lines."""
    columns = (max(output.columns(), 40) if output.on_terminal() else 100_000) - _INDENT

    def line(head: str, text: str) -> None:
        lines = f"\n{' ' * _INDENT}".join(output.wrapped(text, columns))
        click.echo(f"{head}{' ' * (_INDENT - len(click.unstyle(head)))}{lines}", color=coloured)

    coloured = output.coloured()
    for finding, alike in grouped(
        findings, lambda one: f"{one.check}{one.level}{one.status}{one.message}"
    ):
        line(click.style(finding.level, fg=_COLOURS[finding.level]), finding.text)
        if finding.fix is not None:
            line("", f"-> {completed(finding.fix)}")
        if alike:
            line("", others([other.connection or other.message for other in alike]))
    levels = [finding.level for finding in findings]
    click.echo(f"{_count(levels, 'problem')}, {_count(levels, 'warning')}")


def _count(levels: Sequence[str], level: str) -> str:
    number = levels.count(level)
    return f"{number} {level}" if number == 1 else f"{number} {level}s"
