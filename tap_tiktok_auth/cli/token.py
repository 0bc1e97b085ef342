"""`tiktok-auth token`."""

from __future__ import annotations

import click

from tap_tiktok_auth.cli.common import (
    config_option,
    json_option,
    load,
    name_argument,
    one_line_errors,
    only_or_default,
    open_existing,
    print_json,
    tell,
)
from tap_tiktok_auth.cli.times import duration


@click.command()
@name_argument
@config_option
@json_option
@click.option(
    "--min-lifetime",
    type=duration,
    default="0",
    metavar="DURATION",
    help="The token must work for at least so long: 90s, 30m, 6h; seconds without a unit.",
)
@one_line_errors
def token(
    name: str | None, config_paths: tuple[str, ...], as_json: bool, min_lifetime: float
) -> None:
    """Print a fresh access token of the connection NAME, and nothing else.

    A token that is fresh comes from the store without any call to TikTok; else it is refreshed or
    exchanged first. Without NAME the only connection is meant, else the one named default. Exit
    code 3 if a person must authorise.

    \b
      curl -H "Access-Token: $(tiktok-auth token acme)" ...
      tiktok-auth token acme --min-lifetime 3600 --json
    """  # noqa: D301  (click's mark for text that keeps its lines)
    from tap_tiktok_auth.times import rfc3339  # noqa: PLC0415

    with open_existing(load(config_paths), name, begins=True) as manager:
        connection = only_or_default(manager) if name is None else manager.connection(name)
        held = manager.get_token(connection, min_lifetime=min_lifetime)
    if held.warning is not None:
        tell(str(held.warning.of(connection.name)))
    if not as_json:
        click.echo(held.token.access_token)
        return
    print_json(
        {
            "connection": connection.name,
            "api": held.stored.api,
            "access_token": held.token.access_token,
            "access_token_expires_at": rfc3339(held.token.expires_at),
        }
    )
