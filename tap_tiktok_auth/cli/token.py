"""`tiktok-auth token`."""

from __future__ import annotations

import click

from tap_tiktok_auth.cli.common import (
    config_option,
    connection_name,
    json_option,
    one_line_errors,
    open_session,
    print_json,
    tell,
)


@click.command()
@click.argument("name", type=connection_name)
@config_option
@json_option
@click.option(
    "--min-lifetime",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="The token must work for at least so long.",
)
@one_line_errors
def token(name: str, config_paths: tuple[str, ...], as_json: bool, min_lifetime: float) -> None:
    """Print a fresh access token of the connection NAME, and nothing else.

    A token that is fresh comes from the store without any call to TikTok; else it is refreshed or
    exchanged first. Exit code 3 if a person must authorise.

    \b
      curl -H "Access-Token: $(tiktok-auth token acme)" ...
      tiktok-auth token acme --min-lifetime 3600 --json
    """  # noqa: D301  (click's mark for text that keeps its lines)
    from tap_tiktok_auth.metadata import rfc3339  # noqa: PLC0415

    with open_session(config_paths) as broker:
        held = broker.obtain(broker.connection(name), min_lifetime=min_lifetime)
    if held.warning is not None:
        tell(str(held.warning.of(name)))
    if not as_json:
        click.echo(held.token.access_token)
        return
    print_json(
        {
            "connection": name,
            "api": held.record.api,
            "access_token": held.token.access_token,
            "access_token_expires_at": rfc3339(held.token.expires_at),
        }
    )
