"""`tiktok-auth events`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tap_tiktok_auth.cli import common, output
from tap_tiktok_auth.metadata import token_event
from tap_tiktok_auth.times import as_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_tiktok_auth.cli.output import Tone
    from tap_tiktok_auth.credentials.manager import TokenManager
    from tap_tiktok_auth.credentials.models import Event, StoredEvent

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
@common.name_argument
@common.config_option
@click.option(
    "--since",
    type=common.start_time,
    metavar="T",
    help="Only events since then: 24h, 7d, 2026-01-31, 2026-01-31T12:00:00Z.",
)
@common.json_option
def events(
    name: str | None,
    config_paths: tuple[str, ...],
    since: Callable[[float], float] | None,
    as_json: bool,
) -> None:
    """Show what happened to the tokens, the oldest first: the audit trail.

    Without NAME, those of all connections. Tokens appear as fingerprints only. Events stay when a
    connection is forgotten. --json prints a list with the fields of the stream token_events.

    \b
      tiktok-auth events --since 24h
      tiktok-auth events acme --since 2026-01-31
      tiktok-auth events --json | jq '.[] | select(.event == "refresh_failed")'
    """
    with common.open_existing(common.load(config_paths), name) as manager:
        found = _events(manager, name, since(manager.store.now()) if since else None)
        if as_json:
            output.print_json_list(map(token_event, found))
        elif output.on_terminal():
            shown = list(found)
            output.print_drawn(
                _HEADINGS,
                [
                    (
                        (as_time(stored.occurred_at)[:-1].replace("T", " "), "dim"),
                        (stored.event.connection, "plain"),
                        (stored.event.name, _TONES.get(stored.event.name, "good")),
                    )
                    for stored in shown
                ],
                named=1,
                prose=[_details(stored.event) for stored in shown],
            )
        else:
            events = ((as_time(stored.occurred_at), stored.event) for stored in found)
            output.print_plain(
                _PLAIN_HEADINGS,
                [(when, event.connection, event.name, _details(event)) for when, event in events],
            )


def _events(manager: TokenManager, name: str | None, since: float | None) -> Iterator[StoredEvent]:
    """Return the events wanted.

    Raises:
        ConfigurationError: There are none of a connection that does not exist.
    """
    found = manager.store.events(since=since, connection=name)
    first = next(found, None)
    if first is not None:
        yield first
        yield from found
    elif name is not None and next(manager.store.events(connection=name), None) is None:
        manager.connection(name)


def _details(event: Event) -> str:
    """Return what else an event tells, in a few words."""
    before, after = event.fingerprint_before, event.fingerprint_after
    tokens = f"{before} -> {after}" if before and after and before != after else after or before
    code = f"(TikTok code {event.error_code})" if event.error_code else None
    return " ".join(filter(None, (tokens, event.advertiser_id, event.error_message, code)))
