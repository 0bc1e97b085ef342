"""Command-line interface: `tiktok-auth`. `main` has the commands, each module what its name says.

Nothing is imported here: `fast_token` must not wait for click.
"""
