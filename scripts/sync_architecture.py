"""Draw the states of a connection in `docs/architecture.md` from the transitions of the code."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from tap_tiktok_auth.apis.base import Identity, TokenResponse
from tap_tiktok_auth.config.models import Connection
from tap_tiktok_auth.credentials import transitions
from tap_tiktok_auth.credentials.models import (
    LastError,
    ObtainedBy,
    Status,
    StoredConnection,
    Token,
    TokenRequestMark,
)
from tap_tiktok_auth.errors import AuthorizationRequired, GrantRejected, NoAnswer, Unreachable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.credentials.transitions import Change

ROOT = Path(__file__).resolve().parent.parent
DOCUMENT = "docs/architecture.md"
_BEGIN, _END = "<!-- states: begin -->\n", "<!-- states: end -->\n"
_NOW = 1_800_000_000.0
_WORKING = Token("access", "refresh", _NOW - 60, _NOW + 86_400, _NOW + 9e6, _NOW + 9e6)
_ENDED = replace(_WORKING, expires_at=_NOW - 1)


def _connection(status: Status) -> StoredConnection:
    """Return a connection as it is found in a status."""
    new = StoredConnection("acme", "accounts", "app", status=status)
    if status in {"pending", "revoked"}:
        return new
    stored = replace(new, token=_WORKING, generation=1)
    if status != "active":
        stored = replace(stored, failure=LastError("an error", _NOW))
    if status == "unconfirmed":
        stored = replace(stored, attempt=TokenRequestMark("key", _NOW, "unconfirmed"))
    return stored


def _changes(stored: StoredConnection) -> Iterator[tuple[str, Change]]:
    """Return what becomes of a connection, with what happens to it."""
    request = transitions.TokenRequest(
        Connection("acme", "accounts"), stored, "refresh" if stored.token else "exchange", key="key"
    )
    granted = TokenResponse("access 2", "refresh 2", 86_400.0, 9e6)
    by: ObtainedBy | None = None if stored.token else "auth_code"
    yield "granted", transitions.granted(request, granted, _NOW, str, obtained_by=by)
    for error, name in (
        (NoAnswer("no answer"), "no answer"),
        (Unreachable("not reached"), "passing failure"),
        (GrantRejected("refused"), "refused"),
    ):
        yield name, transitions.failed(request, error, _NOW, str)
    if stored.token is None:
        return
    ended = replace(stored, token=_ENDED)
    late = replace(request, stored=ended)
    refused = transitions.failed(late, GrantRejected("refused"), _NOW, str)
    yield "refused after its end", refused
    over = AuthorizationRequired("over")
    yield "consent over", transitions.stopped(ended, over, _NOW, str)
    yield "confirmed", transitions.confirmed(stored, Identity(), _NOW, str)
    yield "revoked", transitions.revoked(stored, str)


def drawing() -> str:
    """Return the states and transitions as a Mermaid diagram."""
    arrows: dict[tuple[str, str], list[str]] = {}
    for status in get_args(Status):
        for name, change in _changes(_connection(status)):
            if change.stored.status != status:
                arrows.setdefault((status, change.stored.status), []).append(name)
    lines = [f"    {a} --> {b}: {', '.join(names)}" for (a, b), names in arrows.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> pending", *lines, "```", ""])


def document(text: str) -> str:
    """Return the document with the drawing in its place."""
    before, rest = text.split(_BEGIN)
    return before + _BEGIN + drawing() + _END + rest.split(_END)[1]


def main() -> int:
    """Write the document, or with `--check` tell whether it is in step."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing")
    check = parser.parse_args().check
    path = ROOT / DOCUMENT
    text = path.read_text(encoding="utf-8")
    if document(text) == text:
        return 0
    if check:
        print(f"{DOCUMENT} is out of step; run scripts/sync_architecture.py", file=sys.stderr)
        return 1
    path.write_text(document(text), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
