"""`tiktok-auth keygen`."""

from __future__ import annotations

import click

from tap_tiktok_auth.store.keys import new_key


@click.command()
def keygen() -> None:
    """Print a new key for a token store.

    Give the same key to every machine that shares the store, as TAP_TIKTOK_AUTH_TOKEN_STORE_KEY.
    Without it the stored tokens cannot be read.

    \b
      export TAP_TIKTOK_AUTH_TOKEN_STORE_KEY="$(tiktok-auth keygen)"
    """  # noqa: D301  (click's mark for text that keeps its lines)
    click.echo(new_key())
