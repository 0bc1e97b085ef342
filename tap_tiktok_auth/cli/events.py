"""`tiktok-auth events`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tap_tiktok_auth.cli import tables
from tap_tiktok_auth.cli.common import (
    config_option,
    json_option,
    load,
    name_argument,
    one_line_errors,
    open_existing,
    print_json_list,
)
from tap_tiktok_auth.cli.times import Start, start
from tap_tiktok_auth.metadata import token_event
from tap_tiktok_auth.times import as_time

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.cli.tables import Cell, Tone
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import StoredEvent

_HEADINGS = ("time (UTC)", "connection", "event", "details")
_PLAIN_HEADINGS = ("TIME", "CONNECTION", "EVENT", "DETAILS")
_TONES: dict[str, Tone] = {
    "refresh_failed": "bad",
    "unconfirmed": "warn",
    "reauthorization_required": "bad",
    "revoked": "warn",
    "advertiser_lost": "warn",
    "scopes_changed": "warn",
}


@click.command()
@name_argument
@config_option
@click.option(
    "--since",
    type=start,
    metavar="T",
    help="Only from then on: 24h, 7d, 2026-01-31, 2026-01-31T12:00:00Z.",
)
@json_option
@one_line_errors
def events(
    name: str | None, config_paths: tuple[str, ...], since: Start | None, as_json: bool
) -> None:
    """Show what happened to the tokens, the oldest first: the audit trail.

    Without NAME, those of all connections. Tokens appear as fingerprints only. Events stay when a
    connection is forgotten. --json prints a list with the fields of the stream token_events.

    \b
      tiktok-auth events --since 24h
      tiktok-auth events acme --since 2026-01-31
      tiktok-auth events --json | jq '.[] | select(.event == "refresh_failed")'
    """  # noqa: D301  (click's mark for text that keeps its lines)
    with open_existing(load(config_paths), name) as manager:
        found = _events(manager, name, since)
        if as_json:
            print_json_list(map(token_event, found))
        elif tables.on_terminal():
            shown = list(found)
            rows = [_drawn(stored) for stored in shown]
            tables.print_drawn(_HEADINGS, rows, named=1, prose=[_details(one) for one in shown])
        else:
            tables.print_plain(_PLAIN_HEADINGS, map(_plain, found))


def _events(manager: TokenManager, name: str | None, since: Start | None) -> Iterator[StoredEvent]:
    """Return the events wanted.

    Raises:
        ConfigurationError: There are none of a connection that does not exist.
    """
    moment = since.at(manager.store.now()) if since else None
    found = manager.store.events(since=moment, connection=name)
    first = next(found, None)
    if first is not None:
        yield first
        yield from found
    elif name is not None and next(manager.store.events(connection=name), None) is None:
        manager.connection(name)


def _plain(stored: StoredEvent) -> tuple[str, ...]:
    event = stored.event
    return (as_time(stored.occurred_at), event.connection, event.name, _details(stored))


def _drawn(stored: StoredEvent) -> tuple[Cell, ...]:
    when, connection, name, _ = _plain(stored)
    return (
        (when[:-1].replace("T", " "), "dim"),
        (connection, "plain"),
        (name, _TONES.get(name, "good")),
    )


def _details(stored: StoredEvent) -> str:
    """Return what else an event tells, in a few words."""
    event = stored.event
    told = []
    before, after = event.fingerprint_before, event.fingerprint_after
    if before and after and before != after:
        told.append(f"{before} -> {after}")
    elif before or after:
        told.append(after or before or "")
    if event.advertiser_id:
        told.append(event.advertiser_id)
    if event.error_message:
        told.append(event.error_message)
    if event.error_code:
        told.append(f"(TikTok code {event.error_code})")
    return " ".join(told)
