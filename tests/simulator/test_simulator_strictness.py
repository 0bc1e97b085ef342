"""What the simulator does not let pass."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tap_tiktok_auth.simulator import Simulator
from tap_tiktok_auth.simulator.envelopes import FORM, JSON
from tap_tiktok_auth.simulator.service import ENDPOINTS

from .client import V1, Client

if TYPE_CHECKING:
    from collections.abc import Iterator


JSON_PATHS = sorted(endpoint.path for endpoint in ENDPOINTS if endpoint.fields == "json")


@pytest.mark.parametrize("path", sorted(endpoint.path for endpoint in ENDPOINTS))
def test_trailing_slash_and_method_matter(client: Client, path: str) -> None:
    """Without the slash, or with another method, there is only a plain 404."""
    method = next(endpoint.method for endpoint in ENDPOINTS if endpoint.path == path)
    for wrong in (client.send(method, path[:-1]), client.send("PUT", path)):
        assert (wrong.status_code, wrong.text) == (404, "404 page not found")
        assert wrong.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("path", ["/", "/open_api/v1.2/oauth2/access_token/", "/v2/oauth/"])
def test_unknown_paths(client: Client, path: str) -> None:
    """Paths that TikTok does not document are a plain 404, and are in the call list."""
    assert client.send("GET", path).status_code == 404
    assert [call.action for call in client.tiktok.calls(path=path)] == ["unknown"]


@pytest.mark.parametrize("path", JSON_PATHS)
def test_json_endpoints_refuse_forms_and_rubbish(client: Client, path: str) -> None:
    """A form, broken JSON and a JSON list are all 40002, with HTTP 200."""
    rubbish: list[dict[str, Any]] = [
        {"data": {"app_id": "1"}},
        {"data": b"{", "headers": {"Content-Type": "application/json"}},
        {"json": ["app_id"]},
    ]
    for options in rubbish:
        answer = client.send("POST", path, **options)
        assert (answer.status_code, answer.json()["code"]) == (200, 40002)


@pytest.mark.parametrize("path", JSON_PATHS)
def test_missing_fields_are_named(client: Client, path: str) -> None:
    """An empty object is 40002, naming what is missing, and has no ``data``."""
    answer = client.post(path)
    assert answer["code"] == 40002
    assert answer["message"].startswith("Missing required field(s): ")
    assert "data" not in answer


def test_empty_strings_and_wrong_types_are_refused(client: Client) -> None:
    """An empty value counts as missing, a number is no string, a string is no boolean."""
    path, app = f"{V1}/oauth2/access_token/", client.app_fields()
    empty = client.post(path, **app, auth_code="")
    assert empty["message"] == "Missing required field(s): auth_code."
    number = client.post(path, **{**app, "app_id": int(app["app_id"])}, auth_code="x")
    assert number["message"] == "app_id: Not a valid string."
    text = client.post(path, **app, auth_code="x", return_advertiser_ids="false")
    assert text["message"] == "return_advertiser_ids: Not a valid boolean."


def test_wrong_secret_does_not_spend_the_code(client: Client) -> None:
    """Credentials are checked before the code."""
    code = client.tiktok.authorize("marketing")
    assert client.exchange("marketing", code, secret="wrong")["code"] == 40101
    assert client.exchange("marketing", code, app_id="1")["code"] == 40113
    assert client.exchange("marketing", code)["code"] == 0


def test_request_ids_have_the_form_of_tiktok(client: Client) -> None:
    """A request id is the simulated UTC second and 18 hex digits, and is in the header too."""
    answer = client.send("POST", f"{V1}/oauth2/access_token/", json={})
    request_id = answer.json()["request_id"]
    assert len(request_id) == 32
    assert request_id[:14].isdecimal()
    assert answer.headers["X-TT-LOGID"] == request_id
    assert "Retry-After" not in answer.headers


def test_clock_shows_in_the_date_header(client: Client) -> None:
    """The Date header follows the simulated clock."""
    before = client.send("GET", "/").headers["Date"]
    client.tiktok.advance(86400)
    assert client.send("GET", "/").headers["Date"] != before


TEXT = st.text(st.characters(exclude_categories=()))  # half surrogate pairs too
JSON_VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT
NAMES = (
    "app_id secret auth_code client_id client_secret grant_type code access_token refresh_token "
    "redirect_uri is_long_term token client_key"
)
FIELDS = st.dictionaries(
    st.sampled_from(NAMES.split()),
    st.recursive(JSON_VALUES, lambda v: st.lists(v) | st.dictionaries(TEXT, v), max_leaves=5),
)


@pytest.fixture(scope="module")
def any_client() -> Iterator[Client]:
    """Return a client of a simulator that all generated requests share."""
    with Simulator() as tiktok, closing(Client(tiktok).session):
        yield Client(tiktok)


@settings(max_examples=150, deadline=None)
@given(
    endpoint=st.sampled_from(ENDPOINTS),
    fields=st.binary() | FIELDS,
    known_app=st.booleans(),
    query=TEXT,
    token=st.none()
    | st.text(
        st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_categories=["Cc", "Zs"]),
        min_size=1,
    ),
)
def test_any_request_gets_an_answer(
    any_client: Client,
    endpoint: Any,
    fields: Any,
    query: str,
    token: str | None,
    *,
    known_app: bool,
) -> None:
    """Whatever is sent, the service answers in its own words, grants nothing and never breaks."""
    if isinstance(fields, dict):
        app_id = any_client.tiktok.app().app_id
        fields = json.dumps(fields | ({"app_id": app_id, "client_id": app_id} if known_app else {}))
    headers = {"Content-Type": FORM if endpoint.fields == "form" else JSON}
    if token is not None:
        headers |= {"Access-Token": token, "Authorization": f"Bearer {token}"}
    path = f"{endpoint.path}?{quote(query, errors='surrogatepass')}"
    answer = any_client.send(endpoint.method, path, data=fields, headers=headers)
    assert isinstance(answer.json(), dict)
    assert any_client.tiktok.calls()[-1].outcome not in {"0", "ok", ""}


def test_deeply_nested_json_is_refused(client: Client) -> None:
    """JSON that nests deeper than Python goes is refused like any other rubbish."""
    headers = {"Content-Type": "application/json"}
    answer = client.send("POST", f"{V1}/oauth2/access_token/", data=b"[" * 100_000, headers=headers)
    assert answer.json()["code"] == 40002
