"""`tiktok-auth token`."""

from __future__ import annotations

import click

from tap_tiktok_auth.cli import common, output
from tap_tiktok_auth.times import rfc3339


@click.command()
@common.name_argument
@common.config_option
@common.json_option
@common.min_lifetime_option
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
    """
    with common.open_existing(common.load(config_paths), name, begins=True) as manager:
        connection = common.connection_named(manager, name)
        held = manager.get_token(connection, min_lifetime=min_lifetime)
    if held.warning is not None:
        output.tell(str(held.warning.of(connection.name)))
    if not as_json:
        click.echo(held.token.access_token)
        return
    output.print_json(
        {
            "connection": connection.name,
            "api": held.stored.api,
            "access_token": held.token.access_token,
            "access_token_expires_at": rfc3339(held.token.expires_at),
        }
    )
