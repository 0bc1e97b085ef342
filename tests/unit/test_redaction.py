"""Redaction: no secret in a message, no ordinary text mangled, foreign texts fit to be shown."""

from __future__ import annotations

import http.client
import json
import re
import threading
import urllib.parse

import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_tiktok_auth import redaction
from tap_tiktok_auth.redaction import MIN_LENGTH, Redactor, clean, clean_id

#: A busy machine is no failure.
UNHURRIED = settings(deadline=None)
CANARY = "canary/5e+c r3t\"q'b\\s"
PLAIN = "canary5ec23t"
ADDRESS = "postgresql://me:pass%2Fword@db.example/tokens"
#: What a credential may consist of: visible ASCII.
SECRETS = st.text(
    st.characters(min_codepoint=33, max_codepoint=126), min_size=8, max_size=40
).filter(lambda text: "://" not in text)


def _redactor(*values: str) -> Redactor:
    redactor = Redactor()
    redactor.learn(*values)
    return redactor


@pytest.mark.parametrize(
    "form",
    [
        CANARY,
        urllib.parse.quote(CANARY),
        urllib.parse.quote(CANARY, safe=""),
        re.sub(r"%..", lambda code: code[0].lower(), urllib.parse.quote(CANARY)),
        urllib.parse.quote_plus(CANARY),
        json.dumps(CANARY)[1:-1],
        json.dumps(json.dumps(CANARY))[3:-3],
        repr(CANARY)[1:-1],
        json.dumps(repr(CANARY))[2:-2],
    ],
)
def test_known_secret_is_masked_in_every_spelling(form: str) -> None:
    """A known secret is found URL-quoted, JSON-escaped, twice JSON-escaped and in a repr."""
    assert _redactor(CANARY).redact(f"it is <{form}> here") == "it is <***> here"


@UNHURRIED
@given(st.text(max_size=20), SECRETS, st.text(max_size=20))
def test_known_secret_never_remains(before: str, secret: str, after: str) -> None:
    """Wherever a known secret stands, it is gone afterwards."""
    redacted = _redactor(secret).redact(before + secret + after)
    assert secret not in redacted.replace("***", " ")


@pytest.mark.parametrize(
    ("secrets", "text", "masked"),
    [
        (("abcdef", "abcdef-ghijkl"), "x abcdef-ghijkl abcdef y", "x *** *** y"),
        (("abcdef-ghijkl", "abcdef"), "x abcdef-ghijkl abcdef y", "x *** *** y"),
        (("abcdef123", "def123xyz"), "<abcdef123xyz>", "<***>"),
        (("bcdefg", "abcdefghijkl"), "<abcdefghijkl>", "<***>"),
        ((None, "", "a", "12345"), "a 12345 text", "a 12345 text"),
        (("s" * MIN_LENGTH,), "s" * MIN_LENGTH, "***"),
        # Of a database's address the password is masked, quoted or not.
        ((ADDRESS,), "no db.example, tried pass/word", "no db.example, tried ***"),
        ((ADDRESS,), "no pass%2Fword", "no ***"),
        (("sqlite:////var/lib/tokens.db",), "sqlite:////var/lib/tokens.db", None),
    ],
)
def test_what_is_masked_of_learned_secrets(
    secrets: tuple[str | None, ...], text: str, masked: str | None
) -> None:
    """Secrets that overlap leave no rest; what is too short or no password shreds no text."""
    redactor = Redactor()
    redactor.learn(*secrets)
    assert redactor.redact(text) == (text if masked is None else masked)


HIDDEN = ("\x00", "\u200b", "\x1b[0m", "\u202e")
NAMED = [
    'https://h:443 "GET /oauth2/advertiser/get/?app_id=7&secret={} HTTP/1.1" 200 None',
    "/x?secret={}&app_id=7",
    "client_key=7&client_secret={}&grant_type=refresh_token",
    '{{"app_secret": "{}", "app_id": "7"}}',
    '{{"access_token":"{}","n":0}}',
    "{{'refresh_token': '{}', 'n': 0}}",
    "{{'auth_code': b'{}'}}",
    '{{\\"code_verifier\\": \\"{}\\"}}',
    '{{\\\\\\"token\\\\\\": \\\\\\"{}\\\\\\"}}',
    "Token(access_token='{}', issued_at=0)",
    "Access-Token: {}",
    "send: b'GET / HTTP/1.1\\r\\nAccess-Token: {}\\r\\n'",
    "Authorization: Bearer {}",
    "{{'Authorization': 'Bearer {}'}}",
    "Bearer {}000000000000000",
    "TAP_TIKTOK_AUTH_TOKEN_STORE_KEY={}",
    "TAP_TIKTOK_AUTH_APP_SECRET={}",
    "postgresql://me:{}@db.example:5432/x",
    "postgresql+psycopg://me:a@{}@db.example/x",
    "password={} host=db.example",
    "GET%20/%3Fcode%3D0123{}4567%26state",
    "'first line\\nact.Ab12-{}'",
    "?next=https%3A%2F%2Fexample.com%2F%3Faccess_token%3D{}",
    "http://127.0.0.1:8080/callback?code={}&state=s",
    "http://127.0.0.1:8080/callback?state=s&code={}",
    "code=0123{}4567&grant_type=authorization_code",
    '{{"code": "0123{}4567", "grant_type": "authorization_code"}}',
    '{{"refresh_token": "cut off {}',
]


@pytest.mark.parametrize("text", NAMED)
def test_value_beside_a_secret_name_is_masked(text: str) -> None:
    """Nobody told the redactor about this secret: the name beside it gives it away."""
    redacted = Redactor().redact(text.format(PLAIN))
    assert PLAIN not in redacted
    assert "***" in redacted
    assert Redactor().redact(redacted) == redacted


@pytest.mark.parametrize("prefix", ["act", "rft", "clt"])
def test_token_is_known_by_its_shape(prefix: str) -> None:
    """A token of the Accounts API or of Login Kit is masked although nothing names it."""
    assert Redactor().redact(f"got {prefix}.Ab12!3456789*xyz now") == "got *** now"


@pytest.mark.parametrize(
    "text",
    [
        "status code=40110",
        '{"code":0,"message":"OK","request_id":"202403040357439E497F7E6668D60F2700"}',
        "exit code 1",
        "exit code: 1",
        "error_code=40105&error=access_denied",
        '{"code":"scope_not_authorized","log_id":"20220829194722CBE87ED59D524E727021"}',
        '{"error":{"code":"ok"}}',
        "code=invalid_grant",
        "connection acme: the access token has expired (TikTok code 40102, request id 2026).",
        "setting access_token is missing",
        "refresh_token_expires_in=31536000, expires_in=86400",
        '"access_token": ""',
        "App(app_id='7', secret=None)",
        '{"access_token":null,"secret":true,"properties":{"token":{"type":"string"}}}',
        "token_state=fresh token_fingerprint=0123456789abcdef",
        "grant_type=authorization_code",
        "http://127.0.0.1:8080/x?email=a@b",
        "https://business-api.tiktok.com/open_api/v1.3/oauth2/access_token/",
        "sqlite:////var/lib/tokens.db",
        "The secret: nobody knows it",
        "Run: tiktok-auth login acme",
        "password authentication failed for user",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    """Return codes, names of settings and addresses without a secret stay readable."""
    assert _redactor("something-else").redact(text) == text


def test_redacted_json_is_still_json() -> None:
    """A structured log line can still be read by a machine."""
    inner = json.dumps({"access_token": 'a"b\\c', "n": 1})
    line = json.dumps({"message": inner, "secret": 'x"y', "url": "/x?secret=a"})
    redacted = json.loads(Redactor().redact(line))
    assert redacted == {
        "message": '{"access_token": "***", "n": 1}',
        "secret": "***",
        "url": "/x?secret=***",
    }


def test_ten_thousand_secrets_share_a_prefix() -> None:
    """Each of thousands of learned secrets is found, and none of them is mixed up."""
    secrets = [f"access-token-{number:06d}" for number in range(10_000)]
    redactor = _redactor(*secrets)
    text = f"<{secrets[0]}> <{secrets[5_000]}> <{secrets[-1]}> <access-token-99999x>"
    assert redactor.redact(text) == "<***> <***> <***> <access-token-99999x>"


def test_only_so_many_secrets_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that refreshes for years does not grow; the newest secrets stay masked."""
    monkeypatch.setattr(redaction, "_MOST_VALUES", 100)
    redactor = _redactor(*(f"token-{number:06d}" for number in range(1_000)))
    assert redactor.redact("<token-000999> <token-000951>") == "<***> <***>"
    assert len(redactor._learned) <= 100
    assert len(redactor._values) <= 100


def test_many_threads_learn_and_redact() -> None:
    """Threads that teach and redact at the same time lose no secret."""
    redactor = Redactor()
    leaks: list[str] = []

    def work(worker: int) -> None:
        for number in range(200):
            secret = f"secret-{worker}-" + "x" * (number % 7) + f"{number:03d}"
            redactor.learn(secret)
            if secret in redactor.redact(f"<{secret}>"):
                leaks.append(secret)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert leaks == []
    assert redactor.redact("<secret-0-000> <secret-7-xxx199>") == "<***> <***>"


def test_http_client_debug_output_is_redacted() -> None:
    """The request that http.client prints in debug mode is recognised, header by header."""
    connection = http.client.HTTPConnection("127.0.0.1")
    connection.putrequest("GET", "/", skip_host=True, skip_accept_encoding=True)
    connection.putheader("Access-Token", PLAIN)
    sent = repr(b"\r\n".join(connection._buffer))  # type: ignore[attr-defined]
    assert PLAIN in sent
    assert PLAIN not in Redactor().redact(f"send: {sent}")


def test_exception_of_requests_shows_no_query_secret() -> None:
    """The text of a failed connection, which quotes the whole address, can be cleaned."""
    with pytest.raises(requests.ConnectionError) as caught:
        requests.get("http://127.0.0.1:1/", params={"secret": PLAIN}, timeout=5)
    assert PLAIN in str(caught.value)
    assert PLAIN not in clean(caught.value, limit=1_000)


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        (
            " \x1b[31mred\x1b[0m\r\n\ttab\x00\x07 \u202eback\u200b\u2028 \x1b]0;title\x07end ",
            "red tab back end",
        ),
        # A secret is not smuggled through by a character that cleaning drops.
        *((f"<{PLAIN[:5]}{hidden}{PLAIN[5:]}>", "<***>") for hidden in HIDDEN),
        ("x" * 300, "x" * 199 + "…"),
        ("x" * 200, "x" * 200),
        ("x" * 190 + PLAIN, "x" * 190 + "***"),
        ("x" * 198 + PLAIN, "x" * 198 + "*…"),
        (None, ""),
    ],
)
def test_clean(text: object, cleaned: str) -> None:
    """One printable line comes out, masked before it is cut."""
    assert clean(text, [PLAIN]) == cleaned
    assert clean("abcdef", limit=3) == "ab…"


@UNHURRIED
@given(st.integers(0, 40))
def test_clean_bounds_its_work_without_leaking(shift: int) -> None:
    """A huge text of invisible characters does not expose the half of a secret that it ends in."""
    text = "\x00" * (20_000 - shift) + PLAIN + "\x00" * 100_000
    cleaned = clean(text, [PLAIN])
    assert not any(PLAIN[:size] in cleaned for size in range(3, len(PLAIN) + 1))


@UNHURRIED
@given(st.text() | st.integers() | st.none() | st.lists(st.text()), st.lists(SECRETS, max_size=3))
def test_clean_takes_anything(text: object, secrets: list[str]) -> None:
    """Whatever comes in, a short printable line comes out."""
    line = clean(text, secrets)
    assert len(line) <= 200
    assert line.isprintable()


@pytest.mark.parametrize("text", ["202403040357439E497F7E6668D60F2700", "a.b_c-{d}", "x" * 64])
def test_clean_id_takes_ids(text: str) -> None:
    """An id of TikTok passes as it is."""
    assert clean_id(text) == text


@pytest.mark.parametrize("text", ["", "x" * 65, "a b", "a\n", "\x1b[0m", "é", None, 7, {"a": 1}])
def test_clean_id_refuses_the_rest(text: object) -> None:
    """What is no id is dropped whole."""
    assert clean_id(text) is None
