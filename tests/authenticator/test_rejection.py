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
    from tap_tiktok_auth import TikTokAuthenticator

    from .conftest import Make

TWO_DAYS = 2 * 86_400.0
DATA = "/open_api/v1.3/report/integrated/get/"
#: Most of these tests: a token system whose tokens can be refreshed.
timed = pytest.mark.tiktok_api("accounts")


class Scene:
    """A host that refuses dead tokens as TikTok does, with HTTP 200, and who asks it."""

    def __init__(self, auth: TikTokAuthenticator, host: Loopback, tiktok: Simulator) -> None:
        self.auth, self.host, self.tiktok = auth, host, tiktok
        host.answers[DATA] = lambda request: (
            self.refusal(request) or envelope(0, got=request.body.decode())
        )

    def refusal(self, request: Received) -> Answer | None:
        """Refuse a dead token; return None for one that works."""
        state = self.tiktok.token_state(request.token or "")
        return None if state == "live" else envelope(40102 if state == "expired" else 40105)

    def send(self, method: str = "GET", path: str = DATA, **more: Any) -> requests.Response:
        """Send a request with the authenticator."""
        more = {"auth": self.auth, "timeout": 30, **more}
        return requests.request(method, self.host.url + path, **more)

    def code(self, path: str = DATA, **more: Any) -> int:
        """Send a request and return TikTok's code."""
        return int(self.send(path=path, **more).json()["code"])

    @property
    def refreshes(self) -> int:
        """How many refreshes TikTok got."""
        return self.tiktok.count("refresh")


@pytest.fixture(name="fresh")
def _fresh(
    make: Make, at_host: dict[str, Any], host: Loopback, tiktok_simulator: Simulator
) -> Scene:
    """Return a scene whose token works."""
    scene = Scene(make(at_host), host, tiktok_simulator)
    scene.auth.access_token()
    return scene


@pytest.fixture(name="scene")
def _scene(fresh: Scene) -> Scene:
    """Return a scene whose token TikTok takes as expired, while the store does not."""
    fresh.tiktok.advance(TWO_DAYS)
    return fresh


@timed
def test_replayed_after_an_envelope(scene: Scene) -> None:
    """A refusal with HTTP 200 leads to one refresh and one replay; the new token stays."""
    answer = scene.send("POST", json={"page": 1})
    assert json.loads(answer.json()["data"]["got"]) == {"page": 1}
    assert [r.json()["code"] for r in answer.history] == [40102]
    first, second = scene.host.at(DATA)
    assert first.token != second.token
    assert [scene.code() for _ in range(2)] == [0, 0]
    assert (len(scene.host.at(DATA)), scene.refreshes) == (4, 1)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.tiktok_api("login_kit")
def test_login_kit_refuses_in_both_shapes(
    make: Make, tiktok_connection: dict[str, Any], *, flat: bool
) -> None:
    """HTTP 401 `access_token_invalid`, nested or flat, leads to one refresh and one replay."""
    with Simulator(flat_errors=flat) as tiktok:
        auth = make({**tiktok_connection, **tiktok.settings("login_kit")})
        auth.access_token()
        tiktok.advance(TWO_DAYS)
        url = f"{tiktok.url}/v2/user/info/?fields=open_id"
        answer = requests.get(url, auth=auth, timeout=10)
        assert [r.status_code for r in (*answer.history, answer)] == [401, 200]
        assert tiktok.count("refresh") == 1


def test_long_term_token_without_successor(fresh: Scene) -> None:
    """A revoked long-term token raises that a person must authorise, and is not sent again."""
    fresh.tiktok.revoke(fresh.auth.access_token())
    for told in (r"long-term.*tiktok-auth login default", "40105"):
        with pytest.raises(AuthorizationRequired, match=told):
            fresh.send()
    assert len(fresh.host.at(DATA)) == 1


@timed
def test_token_of_another_process_is_taken(
    scene: Scene, make: Make, at_host: dict[str, Any]
) -> None:
    """If someone else has replaced the refused token, theirs is used and nothing is refreshed."""
    other = make(at_host)
    assert (scene.code(auth=other), scene.code(), scene.refreshes) == (0, 0, 1)
    assert other.access_token() == scene.auth.access_token()


@timed
def test_threads_refresh_once(scene: Scene) -> None:
    """Twelve threads that are refused together share one refresh, and each is replayed."""
    start = threading.Barrier(12)

    def work(_: int) -> int:
        start.wait(10)
        return scene.code()

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(work, range(12))) == [0] * 12
    assert scene.refreshes == 1


@timed
def test_replayed_at_most_once(scene: Scene) -> None:
    """If TikTok refuses the new token too, that is raised; the request went out twice."""
    scene.host.answers[DATA] = lambda _: envelope(40105)
    with pytest.raises(AuthorizationRequired, match=r"connection default: .*40105"):
        scene.send()
    assert len(scene.host.at(DATA)) == 2


@timed
def test_replay_that_fails_otherwise(scene: Scene) -> None:
    """The caller gets the answer to the replay also when that is an HTTP error."""
    scene.host.answers[DATA] = lambda request: scene.refusal(request) or Answer(403, b"no")
    assert scene.send().status_code == 403


@timed
def test_replay_that_is_redirected_elsewhere(scene: Scene, foreign: Loopback) -> None:
    """Neither the refused token nor its successor leaves with the redirect of a replay."""
    away = Answer(307, b"", {"Location": f"{foreign.url}/catch/"})
    scene.host.answers[DATA] = lambda request: scene.refusal(request) or away
    foreign.answers["/catch/"] = lambda _: Answer()
    scene.send()
    assert len(scene.host.at(DATA)) == 2
    assert [request.token for request in foreign.received] == [None]


@timed
def test_refusal_behind_a_redirect(scene: Scene) -> None:
    """A token that is refused behind a redirect at home is replaced there."""
    scene.host.answers["/data"] = lambda _: Answer(307, b"", {"Location": DATA})
    assert scene.code("/data") == 0
    assert (len(scene.host.at(DATA)), scene.refreshes) == (2, 1)


@timed
def test_refusal_behind_a_replay(scene: Scene) -> None:
    """A replay whose redirect is refused again ends there: one refresh for one request."""
    redirect = Answer(307, b"", {"Location": DATA})
    scene.host.answers["/data"] = lambda request: scene.refusal(request) or redirect
    scene.host.answers[DATA] = lambda _: envelope(40105)
    with pytest.raises(AuthorizationRequired, match="40105"):
        scene.send(path="/data")
    assert (len(scene.host.at(DATA)), scene.refreshes) == (1, 1)


@pytest.mark.parametrize("code", [0, 40001, 40100, 40104, 50000])
def test_other_answers_are_the_callers(fresh: Scene, code: int) -> None:
    """Any other return code reaches the caller as it is, after one request."""
    fresh.host.answers[DATA] = lambda _: envelope(code)
    assert (fresh.code(), len(fresh.host.at(DATA))) == (code, 1)


@timed
def test_file_is_read_again_from_where_it_began(scene: Scene) -> None:
    """An upload from a file is replayed from the position that the file had."""
    file = io.BytesIO(b"skipped:video")
    file.seek(8)
    assert scene.send("POST", data=file).json()["data"]["got"] == "video"
    assert [request.body for request in scene.host.at(DATA)] == [b"video", b"video"]


@timed
def test_stream_that_cannot_rewind_is_not_replayed(scene: Scene) -> None:
    """The refusal of a body that is gone is returned, and the next request has the new token."""
    answer = scene.send("POST", data=iter([b"once ", b"only"]))
    assert answer.json()["code"] == 40102
    assert [request.body for request in scene.host.at(DATA)] == [b"once only"]
    assert (scene.code(), scene.refreshes) == (0, 1)


@timed
def test_streamed_refusal_is_replayed(scene: Scene) -> None:
    """With `stream=True` a short JSON refusal is seen, and the caller can still read the answer."""
    with scene.send(stream=True) as answer:
        assert json.loads(b"".join(answer.iter_content(7)))["code"] == 0
    assert len(scene.host.at(DATA)) == 2


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"x" * 100, headers={"Content-Type": "video/mp4"}),
        Answer(body=b'{"code": 0}', headers=JSON, has_length=False),
        Answer(body=b'{"code": 0, "data": "%s"}' % (b"x" * 70_000), headers=JSON),
    ],
    ids=["no JSON", "unknown length", "long"],
)
def test_streams_are_not_consumed(fresh: Scene, answer: Answer) -> None:
    """A streamed answer that is no short JSON is handed over unread."""
    fresh.host.answers[DATA] = lambda _: answer
    with fresh.send(stream=True) as got:
        assert got.raw.read() == answer.body


@timed
def test_hooks_of_the_caller_see_the_replayed_answer(scene: Scene) -> None:
    """A hook of the caller runs once, on the answer that the caller gets."""
    seen: list[int] = []

    def look(answer: requests.Response, **_: object) -> None:
        seen.append(answer.json()["code"])

    scene.send(hooks={"response": look})
    assert seen == [0]
