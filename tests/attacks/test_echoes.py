"""TikTok's messages may echo what was sent, in any form: nothing of it is shown."""

from __future__ import annotations

import base64
import codecs
import hashlib
import re
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from tap_tiktok_auth.redaction import clean_message

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.standin.runs import Bench

pytestmark = pytest.mark.usefixtures("waits")

ECHOES: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "in capitals": str.upper,
    "with the case turned": str.swapcase,
    "backwards": lambda s: s[::-1],
    "first half": lambda s: s[: len(s) // 2],
    "first fourteen": lambda s: s[:14],
    "eight of the middle": lambda s: s[11:19],
    "without the last": lambda s: s[:-1],
    "Base64": lambda s: base64.b64encode(s.encode()).decode(),
    "Base64 at another offset": lambda s: base64.b64encode(f"=/{s}".encode()).decode(),
    "Base64 for addresses": lambda s: base64.urlsafe_b64encode(s.encode()).decode().rstrip("="),
    "Base64 of it backwards": lambda s: base64.b64encode(s[::-1].encode()).decode(),
    "Base64 twice": lambda s: base64.b64encode(base64.b64encode(s.encode())).decode(),
    "Base32": lambda s: base64.b32encode(s.encode()).decode(),
    "Base85": lambda s: base64.b85encode(s.encode()).decode(),
    "hex": lambda s: s.encode().hex(),
    "hex with colons": lambda s: s.encode().hex(":").upper(),
    "URL-quoted": lambda s: "".join(f"%{ord(c):02X}" for c in s),
    "partly URL-quoted": lambda s: quote(s, safe=""),
    "JSON's escapes": lambda s: "".join(f"\\u{ord(c):04x}" for c in s),
    "HTML's escapes": lambda s: "".join(f"&#{ord(c)};" for c in s),
    "URL-quoted twice": lambda s: "".join(f"%25{ord(c):02X}" for c in s),
    "octal": lambda s: "".join(f"\\{ord(c):03o}" for c in s),
    "binary": lambda s: " ".join(f"{ord(c):08b}" for c in s),
    "numbers": lambda s: str(list(s.encode())),
    "numbers of three digits": lambda s: " ".join(f"{ord(c):03d}" for c in s),
    "one number in groups": lambda s: re.sub("(.{9})", r"\1 ", str(int(s.encode().hex(), 16))),
    "spaced": " ".join,
    "in pairs": lambda s: " ".join(s[i : i + 2] for i in range(0, len(s), 2)),
    "in groups": lambda s: "-".join(s[i : i + 4] for i in range(0, len(s), 4)),
    "with invisible signs": "\u200b".join,
    "in wide letters": lambda s: "".join(chr(ord(c) + 0xFEE0) for c in s),
    "rotated": lambda s: codecs.encode(s, "rot13"),
    "in a path": lambda s: f"/v/{s}/get",
    "named": lambda s: f"app.secret={s},token:{s}",
}
#: What TikTok's credentials look like: those of apps and advertisers, and those of account holders.
HEX = [hashlib.sha1(bytes([number])).hexdigest() for number in range(20)]
MIXED = [f"act.{base64.b64encode(bytes.fromhex(text)).decode()[:26]}!6123.va" for text in HEX]
#: All that may be left of the message below.
WORDS = {"The", "value", "is", "wrong", "sorry", "v", "get", "app", "secret", "token"}


@pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
def test_of_an_echo_nothing_is_shown(echo: Callable[[str], str]) -> None:
    """Whatever a message makes of a secret, only the words around it remain."""
    for secret in (*HEX, *MIXED):
        shown = clean_message(f"The value {echo(secret)} is wrong, sorry.", [secret])
        assert set(re.findall(r"[^\W_]+", shown)) <= WORDS
        assert shown.startswith("The ")
        assert shown.endswith(" wrong, sorry.")


@pytest.mark.parametrize("secret", [*HEX, *MIXED])
def test_an_unknown_secret_is_no_word(secret: str) -> None:
    """Of what the request did not carry nothing is shown either, if it is no word or number."""
    shown = clean_message(f"try {secret} or {secret[:20]} or {base64.b64encode(secret.encode())!r}")
    assert set(re.findall(r"[^\W_]+", shown)) <= {"try", "or", "b"}


@pytest.mark.parametrize(
    "message",
    [
        "Access token is incorrect or has been revoked.",
        "Due to too many requests, requests from App are temporarily restricted.",
        "Access token is null, you should set it in http header with key Access-Token.",
        "Missing required field(s): account_id.",
        "advertiser_ids[0]: must be <= 100 characters, got 7001000000000000001.",
        "No permission for advertisers 7001000000000000001, 7001000000000000002",
        "App 7000000000000000001 has no permission /open_api/v1.3/advertiser/info/ (TikTok OAuth).",
        "Scope user.info.basic wasn't authorized; see https://business-api.tiktok.com/portal/docs",
        "参数错误: page_size",
    ],
)
def test_messages_of_tiktok_stay_readable(message: str) -> None:
    """Words, numbers, names of fields, paths and addresses are shown as they are."""
    assert clean_message(message, ["0f3a9c1d07be244f5a6b7c8d9e0f1a2b3c4d5e6f"]) == message


@pytest.mark.parametrize("api", ["marketing", "login_kit"])
@pytest.mark.parametrize("form", ["Base64", "backwards", "first fourteen", "hex", "spaced"])
def test_no_echo_leaves_the_tap(bench: Bench, api: str, form: str) -> None:
    """Neither log nor records nor store get the echo of a code or app secret, also not as an id."""
    connection = bench.consented(api)
    echoes = [ECHOES[form](connection[name]) for name in ("auth_code", "app_secret")]
    told = " ".join(echoes)
    body = {"code": 40002, "message": f"no {told} here", "request_id": echoes[0][:60]}
    if api == "login_kit":
        body = {"error": echoes[1][:40], "error_description": told, "log_id": echoes[0][:60]}
    bench.standin.fail("token/", times=9, body=body)
    run = bench.run(bench.settings(connection))
    assert run.code == 1
    written = run.out + run.err + bench.store_path.read_bytes().decode("latin-1")
    parts = {echo[start : start + 12] for echo in echoes for start in range(len(echo) - 11)}
    assert [part for part in parts if part in written] == []
