"""TikTok refuses a token in use: it is given up, and the request is sent once more."""

from __future__ import annotations

import io
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from tap_tiktok_auth.errors import AuthorizationRequired
from tap_tiktok_auth.simulator import Simulator

from .loopback import Answer, Loopback, Received, envelope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_tiktok_auth import TikTokAuthenticator

    from .conftest import Make

TWO_DAYS = 2 * 86_400.0
DATA = "/open_api/v1.3/report/integrated/get/"


def guarded(tiktok: Simulator) -> Callable[[Received], Answer]:
    """Return a data endpoint that refuses dead tokens as TikTok does, with HTTP 200."""

    def answer(request: Received) -> Answer:
        state = tiktok.token_state(request.token or "")
        codes = {"live": 0, "expired": 40102}
        return envelope(codes.get(state, 40105), got=request.body.decode())

    return answer


@pytest.fixture(name="accounts")
def _accounts(
    make: Make, at_host: dict[str, Any], host: Loopback, tiktok_simulator: Simulator
) -> TikTokAuthenticator:
    """Return an authenticator whose token TikTok takes as expired, while the store does not."""
    host.answers[DATA] = guarded(tiktok_simulator)
    auth = make(at_host)
    auth.access_token()
    tiktok_simulator.advance(TWO_DAYS)
    return auth


@pytest.mark.tiktok_api("accounts")
def test_replayed_after_an_envelope(
    accounts: TikTokAuthenticator, host: Loopback, tiktok_simulator: Simulator
) -> None:
    """A refusal with HTTP 200 and code 40102 leads to one refresh and one replay."""
    answer = requests.post(host.url + DATA, json={"page": 1}, auth=accounts, timeout=10)
    assert answer.json()["code"] == 0
    assert json.loads(answer.json()["data"]["got"]) == {"page": 1}
    assert tiktok_simulator.count("refresh") == 1
    first, second = host.at(DATA)
    assert first.token != second.token
    assert [r.json()["code"] for r in answer.history] == [40102]


@pytest.mark.tiktok_api("accounts")
def test_new_token_stays(
    accounts: TikTokAuthenticator, host: Loopback, tiktok_simulator: Simulator
) -> None:
    """Requests after a replay go out with the new token at once."""
    for _ in range(3):
        assert requests.get(host.url + DATA, auth=accounts, timeout=10).json()["code"] == 0
    assert len(host.at(DATA)) == 4
    assert tiktok_simulator.count("refresh") == 1


@pytest.fixture(name="flat_tiktok")
def _flat_tiktok() -> Iterator[Simulator]:
    with Simulator(flat_errors=True) as tiktok:
        yield tiktok


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.tiktok_api("login_kit")
def test_login_kit_refuses_in_both_shapes(
    flat: bool,
    make: Make,
    tiktok_connection: dict[str, Any],
    tiktok_simulator: Simulator,
    flat_tiktok: Simulator,
) -> None:
    """HTTP 401 `access_token_invalid`, nested or flat, leads to one refresh and one replay."""
    tiktok = flat_tiktok if flat else tiktok_simulator
    auth = make({**tiktok_connection, **tiktok.settings("login_kit")})
    auth.access_token()
    tiktok.advance(TWO_DAYS)
    url = f"{tiktok.url}/v2/user/info/?fields=open_id"
    answer = requests.get(url, auth=auth, timeout=10)
    assert answer.status_code == 200
    assert [r.status_code for r in answer.history] == [401]
    assert tiktok.count("refresh") == 1


def test_long_term_token_without_successor(
    make: Make, at_host: dict[str, Any], host: Loopback, tiktok_simulator: Simulator
) -> None:
    """A revoked long-term token raises that a person must authorise, and is not sent again."""
    host.answers[DATA] = guarded(tiktok_simulator)
    auth = make(at_host)
    tiktok_simulator.revoke(auth.access_token())
    with pytest.raises(AuthorizationRequired, match=r"long-term.*tiktok-auth login default"):
        requests.get(host.url + DATA, auth=auth, timeout=10)
    with pytest.raises(AuthorizationRequired, match="40105"):
        requests.get(host.url + DATA, auth=auth, timeout=10)
    assert len(host.at(DATA)) == 1


@pytest.mark.tiktok_api("accounts")
def test_token_of_another_process_is_taken(
    make: Make,
    accounts: TikTokAuthenticator,
    at_host: dict[str, Any],
    host: Loopback,
    tiktok_simulator: Simulator,
) -> None:
    """If someone else has replaced the refused token, theirs is used and nothing is refreshed."""
    other = make(at_host)
    assert requests.get(host.url + DATA, auth=other, timeout=10).json()["code"] == 0
    assert requests.get(host.url + DATA, auth=accounts, timeout=10).json()["code"] == 0
    assert tiktok_simulator.count("refresh") == 1
    assert other.access_token() == accounts.access_token()


@pytest.mark.tiktok_api("accounts")
def test_threads_refresh_once(
    accounts: TikTokAuthenticator, host: Loopback, tiktok_simulator: Simulator
) -> None:
    """Twelve threads that are refused together share one refresh, and each is replayed."""
    start = threading.Barrier(12)

    def get(_: int) -> int:
        start.wait(10)
        return int(requests.get(host.url + DATA, auth=accounts, timeout=30).json()["code"])

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(get, range(12))) == [0] * 12
    assert tiktok_simulator.count("refresh") == 1


@pytest.mark.tiktok_api("accounts")
def test_replayed_at_most_once(accounts: TikTokAuthenticator, host: Loopback) -> None:
    """If TikTok refuses the new token too, that is raised; the request went out twice."""
    host.answers[DATA] = lambda _: envelope(40105)
    with pytest.raises(AuthorizationRequired, match=r"connection default: .*40105"):
        requests.get(host.url + DATA, auth=accounts, timeout=10)
    assert len(host.at(DATA)) == 2


@pytest.mark.tiktok_api("accounts")
def test_replay_that_fails_otherwise(
    accounts: TikTokAuthenticator, host: Loopback, tiktok_simulator: Simulator
) -> None:
    """The caller gets the answer to the replay also when that is an HTTP error."""
    guard = guarded(tiktok_simulator)

    def answer(request: Received) -> Answer:
        refusal = guard(request)
        return refusal if b"40102" in refusal.body else Answer(403, b"no")

    host.answers[DATA] = answer
    assert requests.get(host.url + DATA, auth=accounts, timeout=10).status_code == 403


@pytest.mark.parametrize("code", [0, 40001, 40100, 40104, 50000])
def test_other_answers_are_the_callers(
    code: int, make: Make, at_host: dict[str, Any], host: Loopback
) -> None:
    """Any other return code reaches the caller as it is, after one request."""
    host.answers[DATA] = lambda _: envelope(code)
    answer = requests.get(host.url + DATA, auth=make(at_host), timeout=10)
    assert answer.json()["code"] == code
    assert len(host.at(DATA)) == 1


@pytest.mark.tiktok_api("accounts")
def test_file_is_read_again_from_where_it_began(
    accounts: TikTokAuthenticator, host: Loopback
) -> None:
    """An upload from a file is replayed from the position that the file had."""
    file = io.BytesIO(b"skipped:video")
    file.seek(8)
    answer = requests.post(host.url + DATA, data=file, auth=accounts, timeout=10)
    assert answer.json()["data"]["got"] == "video"
    assert [request.body for request in host.at(DATA)] == [b"video", b"video"]


@pytest.mark.tiktok_api("accounts")
def test_stream_that_cannot_rewind_is_not_replayed(
    accounts: TikTokAuthenticator, host: Loopback, tiktok_simulator: Simulator
) -> None:
    """The refusal of a body that is gone is returned, and the next request has the new token."""
    chunks = iter([b"once ", b"only"])
    answer = requests.post(host.url + DATA, data=chunks, auth=accounts, timeout=10)
    assert answer.json()["code"] == 40102
    assert [request.body for request in host.at(DATA)] == [b"once only"]
    assert requests.get(host.url + DATA, auth=accounts, timeout=10).json()["code"] == 0
    assert tiktok_simulator.count("refresh") == 1


@pytest.mark.tiktok_api("accounts")
def test_streamed_refusal_is_replayed(accounts: TikTokAuthenticator, host: Loopback) -> None:
    """With `stream=True` a short JSON refusal is seen, and the caller can still read the answer."""
    url = host.url + DATA
    with requests.get(url, auth=accounts, timeout=10, stream=True) as answer:
        assert json.loads(b"".join(answer.iter_content(7)))["code"] == 0
    assert len(host.at(DATA)) == 2


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"x" * 100, headers={"Content-Type": "video/mp4"}),
        Answer(body=b'{"code": 0}', headers={"Content-Type": "application/json"}, has_length=False),
        Answer(
            body=b'{"code": 0, "data": "%s"}' % (b"x" * 70_000),
            headers={"Content-Type": "application/json"},
        ),
    ],
    ids=["no JSON", "unknown length", "long"],
)
def test_streams_are_not_consumed(
    answer: Answer, make: Make, at_host: dict[str, Any], host: Loopback
) -> None:
    """A streamed answer that is no short JSON is handed over unread."""
    host.answers[DATA] = lambda _: answer
    url = host.url + DATA
    with requests.get(url, auth=make(at_host), timeout=10, stream=True) as got:
        assert got.raw.read() == answer.body


@pytest.mark.tiktok_api("accounts")
def test_hooks_of_the_caller_see_the_replayed_answer(
    accounts: TikTokAuthenticator, host: Loopback
) -> None:
    """A hook of the caller runs once, on the answer that the caller gets."""
    seen: list[int] = []

    def look(answer: requests.Response, **_: object) -> None:
        seen.append(answer.json()["code"])

    requests.get(host.url + DATA, auth=accounts, timeout=10, hooks={"response": look})
    assert seen == [0]
