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
#: Most of these tests: a token system whose tokens can be refreshed.
timed = pytest.mark.tiktok_api("accounts")


@pytest.fixture(name="refusal")
def _refusal(tiktok_simulator: Simulator) -> Callable[[Received], Answer | None]:
    """Return a check that refuses dead tokens as TikTok does, with HTTP 200."""

    def answer(request: Received) -> Answer | None:
        state = tiktok_simulator.token_state(request.token or "")
        return None if state == "live" else envelope(40102 if state == "expired" else 40105)

    return answer


@pytest.fixture(name="guard")
def _guard(host: Loopback, refusal: Callable[[Received], Answer | None]) -> None:
    """Let the host have an endpoint that refuses dead tokens."""
    host.answers[DATA] = lambda request: refusal(request) or envelope(0, got=request.body.decode())


@pytest.fixture(name="accounts")
def _accounts(
    make: Make, at_host: dict[str, Any], guard: None, tiktok_simulator: Simulator
) -> TikTokAuthenticator:
    """Return an authenticator whose token TikTok takes as expired, while the store does not."""
    del guard
    auth = make(at_host)
    auth.access_token()
    tiktok_simulator.advance(TWO_DAYS)
    return auth


@pytest.fixture(name="get")
def _get(host: Loopback) -> Callable[..., int]:
    """Return a function that sends a request and returns TikTok's code."""

    def get(auth: TikTokAuthenticator, path: str = DATA) -> int:
        return int(requests.get(host.url + path, auth=auth, timeout=30).json()["code"])

    return get


@timed
def test_replayed_after_an_envelope(
    accounts: TikTokAuthenticator,
    host: Loopback,
    tiktok_simulator: Simulator,
    get: Callable[..., int],
) -> None:
    """A refusal with HTTP 200 leads to one refresh and one replay; the new token stays."""
    answer = requests.post(host.url + DATA, json={"page": 1}, auth=accounts, timeout=10)
    assert json.loads(answer.json()["data"]["got"]) == {"page": 1}
    assert [r.json()["code"] for r in answer.history] == [40102]
    first, second = host.at(DATA)
    assert first.token != second.token
    assert [get(accounts) for _ in range(2)] == [0, 0]
    assert (len(host.at(DATA)), tiktok_simulator.count("refresh")) == (4, 1)


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
    assert [r.status_code for r in (*answer.history, answer)] == [401, 200]
    assert tiktok.count("refresh") == 1


@pytest.mark.usefixtures("guard")
def test_long_term_token_without_successor(
    make: Make,
    at_host: dict[str, Any],
    host: Loopback,
    tiktok_simulator: Simulator,
    get: Callable[..., int],
) -> None:
    """A revoked long-term token raises that a person must authorise, and is not sent again."""
    auth = make(at_host)
    tiktok_simulator.revoke(auth.access_token())
    for told in (r"long-term.*tiktok-auth login default", "40105"):
        with pytest.raises(AuthorizationRequired, match=told):
            get(auth)
    assert len(host.at(DATA)) == 1


@timed
def test_token_of_another_process_is_taken(
    make: Make,
    accounts: TikTokAuthenticator,
    at_host: dict[str, Any],
    tiktok_simulator: Simulator,
    get: Callable[..., int],
) -> None:
    """If someone else has replaced the refused token, theirs is used and nothing is refreshed."""
    other = make(at_host)
    assert (get(other), get(accounts)) == (0, 0)
    assert tiktok_simulator.count("refresh") == 1
    assert other.access_token() == accounts.access_token()


@timed
def test_threads_refresh_once(
    accounts: TikTokAuthenticator, tiktok_simulator: Simulator, get: Callable[..., int]
) -> None:
    """Twelve threads that are refused together share one refresh, and each is replayed."""
    start = threading.Barrier(12)

    def work(_: int) -> int:
        start.wait(10)
        return get(accounts)

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(work, range(12))) == [0] * 12
    assert tiktok_simulator.count("refresh") == 1


@timed
def test_replayed_at_most_once(
    accounts: TikTokAuthenticator, host: Loopback, get: Callable[..., int]
) -> None:
    """If TikTok refuses the new token too, that is raised; the request went out twice."""
    host.answers[DATA] = lambda _: envelope(40105)
    with pytest.raises(AuthorizationRequired, match=r"connection default: .*40105"):
        get(accounts)
    assert len(host.at(DATA)) == 2


@timed
def test_replay_that_fails_otherwise(
    accounts: TikTokAuthenticator, host: Loopback, refusal: Callable[[Received], Answer | None]
) -> None:
    """The caller gets the answer to the replay also when that is an HTTP error."""
    host.answers[DATA] = lambda request: refusal(request) or Answer(403, b"no")
    assert requests.get(host.url + DATA, auth=accounts, timeout=10).status_code == 403


@timed
def test_replay_that_is_redirected_elsewhere(
    accounts: TikTokAuthenticator,
    host: Loopback,
    foreign: Loopback,
    refusal: Callable[[Received], Answer | None],
) -> None:
    """Neither the refused token nor its successor leaves with the redirect of a replay."""
    away = Answer(307, b"", {"Location": f"{foreign.url}/catch/"})
    host.answers["/out/"] = lambda request: refusal(request) or away
    foreign.answers["/catch/"] = lambda _: Answer()
    requests.get(f"{host.url}/out/", auth=accounts, timeout=10)
    assert len(host.at("/out/")) == 2
    assert [request.token for request in foreign.received] == [None]


@timed
@pytest.mark.parametrize("replayed_before", [False, True])
def test_refusal_behind_a_redirect(
    accounts: TikTokAuthenticator,
    host: Loopback,
    tiktok_simulator: Simulator,
    refusal: Callable[[Received], Answer | None],
    get: Callable[..., int],
    *,
    replayed_before: bool,
) -> None:
    """A token that is refused behind a redirect at home is replaced there, and once only."""
    redirect = Answer(307, b"", {"Location": DATA})
    if replayed_before:
        host.answers["/data"] = lambda request: refusal(request) or redirect
        host.answers[DATA] = lambda _: envelope(40105)
        with pytest.raises(AuthorizationRequired, match="40105"):
            get(accounts, "/data")
    else:
        host.answers["/data"] = lambda _: redirect
        assert get(accounts, "/data") == 0
    assert len(host.at(DATA)) == (1 if replayed_before else 2)
    assert tiktok_simulator.count("refresh") == 1


@pytest.mark.parametrize("code", [0, 40001, 40100, 40104, 50000])
def test_other_answers_are_the_callers(
    code: int, make: Make, at_host: dict[str, Any], host: Loopback, get: Callable[..., int]
) -> None:
    """Any other return code reaches the caller as it is, after one request."""
    host.answers[DATA] = lambda _: envelope(code)
    assert get(make(at_host)) == code
    assert len(host.at(DATA)) == 1


@timed
def test_file_is_read_again_from_where_it_began(
    accounts: TikTokAuthenticator, host: Loopback
) -> None:
    """An upload from a file is replayed from the position that the file had."""
    file = io.BytesIO(b"skipped:video")
    file.seek(8)
    answer = requests.post(host.url + DATA, data=file, auth=accounts, timeout=10)
    assert answer.json()["data"]["got"] == "video"
    assert [request.body for request in host.at(DATA)] == [b"video", b"video"]


@timed
def test_stream_that_cannot_rewind_is_not_replayed(
    accounts: TikTokAuthenticator,
    host: Loopback,
    tiktok_simulator: Simulator,
    get: Callable[..., int],
) -> None:
    """The refusal of a body that is gone is returned, and the next request has the new token."""
    chunks = iter([b"once ", b"only"])
    answer = requests.post(host.url + DATA, data=chunks, auth=accounts, timeout=10)
    assert answer.json()["code"] == 40102
    assert [request.body for request in host.at(DATA)] == [b"once only"]
    assert get(accounts) == 0
    assert tiktok_simulator.count("refresh") == 1


@timed
def test_streamed_refusal_is_replayed(accounts: TikTokAuthenticator, host: Loopback) -> None:
    """With `stream=True` a short JSON refusal is seen, and the caller can still read the answer."""
    with requests.get(host.url + DATA, auth=accounts, timeout=10, stream=True) as answer:
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
    with requests.get(host.url + DATA, auth=make(at_host), timeout=10, stream=True) as got:
        assert got.raw.read() == answer.body


@timed
def test_hooks_of_the_caller_see_the_replayed_answer(
    accounts: TikTokAuthenticator, host: Loopback
) -> None:
    """A hook of the caller runs once, on the answer that the caller gets."""
    seen: list[int] = []

    def look(answer: requests.Response, **_: object) -> None:
        seen.append(answer.json()["code"])

    requests.get(host.url + DATA, auth=accounts, timeout=10, hooks={"response": look})
    assert seen == [0]
