"""A stream of the Singer SDK with the authenticator, as a tap's author would write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th

from .loopback import Answer, Loopback, Received, envelope

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_tiktok_auth import TikTokAuthenticator
    from tap_tiktok_auth.simulator import Simulator

    from .conftest import Make

PATH = "/open_api/v1.3/campaign/get/"


def make_tap(auth: TikTokAuthenticator, url: str) -> Tap:
    """Return a tap with one paginated stream of the Business API."""

    class Campaigns(RESTStream[int]):
        name = "campaigns"
        url_base = url
        path = PATH
        primary_keys = ("campaign_id",)
        records_jsonpath = "$.data.list[*]"
        next_page_token_jsonpath = "$.data.next"
        schema = th.PropertiesList(th.Property("campaign_id", th.StringType)).to_dict()
        authenticator = auth

        def get_url_params(
            self, context: Mapping[str, Any] | None, next_page_token: int | None
        ) -> dict[str, Any]:
            del context
            return {"page": next_page_token or 1}

    class TapCampaigns(Tap):
        name = "tap-campaigns"
        config_jsonschema: ClassVar[dict[str, Any]] = {"properties": {}}

        def discover_streams(self) -> list[Campaigns]:
            return [Campaigns(self)]

    return TapCampaigns(config={}, parse_env_config=False)


def pages(tiktok: Simulator) -> Any:
    """Return an endpoint with three pages that refuses dead tokens with HTTP 200."""

    def answer(request: Received) -> Answer:
        if tiktok.token_state(request.token or "") != "live":
            return envelope(40102)
        page = int(request.path.rpartition("page=")[2])
        rows = [{"campaign_id": str(page)}]
        return envelope(0, list=rows, **({"next": page + 1} if page < 3 else {}))

    return answer


def read(tap: Tap) -> list[str]:
    """Return the ids of all records of the tap's stream."""
    ids = []
    for record in tap.streams["campaigns"].get_records(None):
        assert isinstance(record, dict)
        ids.append(str(record["campaign_id"]))
    return ids


@pytest.mark.tiktok_api("accounts")
def test_stream_survives_a_rejection(
    make: Make, at_host: dict[str, Any], host: Loopback, tiktok_simulator: Simulator
) -> None:
    """A stream whose token ends between runs gets all its pages, with one refresh."""
    host.answers[PATH] = pages(tiktok_simulator)
    tap = make_tap(make(at_host), host.url)
    assert read(tap) == ["1", "2", "3"]
    tiktok_simulator.advance(2 * 86_400.0)
    assert read(tap) == ["1", "2", "3"]
    assert tiktok_simulator.count("refresh") == 1
    assert len(host.at(PATH)) == 3 + 4


def test_retries_of_the_sdk_are_authorised(
    make: Make, at_host: dict[str, Any], host: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The SDK's own retry of a failed request carries the token, and one watch only."""
    failures = iter([503, 503])

    def answer(request: Received) -> Answer:
        status = next(failures, None)
        return envelope(0, list=[{"campaign_id": request.token}]) if status is None else Answer(503)

    host.answers[PATH] = answer
    monkeypatch.setattr(RESTStream, "backoff_wait_generator", lambda _: (0 for _ in range(9)))
    auth = make(at_host)
    assert read(make_tap(auth, host.url)) == [auth.access_token()]
    assert len(host.at(PATH)) == 3


def test_stream_on_a_foreign_host_gets_nothing(
    make: Make, at_host: dict[str, Any], foreign: Loopback
) -> None:
    """A stream whose address is not TikTok's ends with the error that says so."""
    tap = make_tap(make(at_host), foreign.url)
    with pytest.raises(Exception, match="the token only to"):
        read(tap)
    assert foreign.received == []
