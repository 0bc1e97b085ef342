"""Answers as the parsers get them, without any HTTP."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tap_tiktok_auth.apis import APIS
from tap_tiktok_auth.apis.base import Request, Response
from tap_tiktok_auth.config.models import App, Connection, Hosts

SAMPLES = Path(__file__).parent / "samples"
HOSTS = Hosts("https://business.example", "https://kit.example", "https://www.example")
SECRET = "app-SECRET-credential"
CODE = "code-SECRET-credential"
REFRESH = "rft-SECRET-credential"
ACCESS = "act-SECRET-credential"
SECRETS = (SECRET, CODE, REFRESH, ACCESS)
APP = App("7001", SECRET)


def api(name: str, **options: Any) -> Any:
    """Return a token system."""
    return APIS[name](HOSTS, **options)


def connection(name: str, **more: Any) -> Connection:
    """Return a connection of a token system."""
    return Connection("acme", name, APP, **more)


def requests_of(name: str) -> dict[str, Request]:
    """Return every request that a token system can make, by the method that reads its answer."""
    one = api(name)
    made = {
        "exchange": one.exchange(APP, CODE, redirect_uri="https://example.com/cb/"),
        "refresh": one.refresh(APP, REFRESH),
        "verify": one.verify(connection(name), ACCESS),
        "revoke": one.revoke(APP, ACCESS),
    }
    if name == "marketing":
        made["sandbox"] = one.verify(connection(name, advertiser_ids=("1",)), ACCESS)
        made["details"] = one.advertiser_info(ACCESS, ("1",))
    if name in {"accounts", "creator"}:
        made["account"] = one.account(ACCESS, "me", ("user.info.username",))
    if name == "creator_marketplace":
        made["account_info"] = one.account_info(ACCESS, "1")
    if name == "login_kit":
        made["account"] = one.verify(connection(name), ACCESS, ("user.info.profile",))
        made["client_token"] = one.client_token(APP)
    return made


def reader_of(name: str, purpose: str) -> Any:
    """Return what reads the answer to a request."""
    one = api(name)
    readers = {
        "exchange": "read_grant",
        "refresh": "read_grant",
        "client_token": "read_grant",
        "verify": "read_identity",
        "sandbox": "read_identity",
        "revoke": "read_revoked",
        "details": "read_advertiser_info",
        "account": "read_account",
        "account_info": "read_account_info",
    }
    return getattr(one, readers[purpose])


def reply(request: Request, body: Any, status: int = 200) -> Response:
    """Return an answer to a request."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(request, status, raw)


def sample(path: str) -> bytes:
    """Return a sample body."""
    return (SAMPLES / path).read_bytes()
