"""A further token system is one class and one line: a made-up one goes the whole way."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from tap_tiktok_auth.apis import APIS, responses
from tap_tiktok_auth.apis.base import Identity, Request, TokenApi
from tap_tiktok_auth.apis.platforms import BUSINESS
from tap_tiktok_auth.config.parsing import parse
from tap_tiktok_auth.credentials.manager import open_manager
from tap_tiktok_auth.errors import ConfigurationError, GrantRejected, NoAnswer
from tests.served import Served

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_tiktok_auth.apis.base import Consent, Purpose, Response, TokenResponse
    from tap_tiktok_auth.apis.platforms import App
    from tap_tiktok_auth.credentials.manager import TokenManager

APP = {"app_id": "7001", "app_secret": "app-SECRET-credential"}


class RotatingApi(TokenApi):
    """Tokens of one hour, and refresh tokens that work once: as RFC 6749 has them."""

    name = "rotating"
    pkce = True

    @property
    def data_host(self) -> str:
        return self.hosts.business

    def authorization(self, access_token: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {access_token}"}

    def exchange(
        self,
        app: App,
        code: str,
        *,
        redirect_uri: str | None = None,
        code_verifier: str | None = None,
    ) -> Request:
        del redirect_uri
        form = {"grant_type": "authorization_code", "code": code, "verifier": code_verifier or ""}
        return self._post("exchange", "token", app, form)

    def refresh(self, app: App, refresh_token: str) -> Request:
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._post("refresh", "token", app, form)

    def verify(
        self, connection: Consent, access_token: str, scopes: tuple[str, ...] = ()
    ) -> Request:
        del connection, scopes
        return Request("verify", "GET", f"{self.data_host}/me", secrets=(access_token,))

    def revoke(self, app: App, access_token: str) -> Request:
        return self._post("revoke", "revoke", app, {"token": access_token})

    def read_data(self, response: Response) -> dict[str, Any]:
        return responses.login_kit_data(response)

    def read_grant(self, response: Response) -> TokenResponse:
        return responses.grant(response, self.read_data(response))

    def read_identity(self, response: Response) -> Identity:
        return Identity(subject_id=self.read_data(response)["open_id"])

    def read_revoked(self, response: Response) -> None:
        self.read_data(response)

    def _post(self, purpose: Purpose, path: str, app: App, form: dict[str, str]) -> Request:
        return Request(
            purpose,
            "POST",
            f"{self.data_host}/{path}",
            app.app_id,
            form={"client_id": app.app_id, "client_secret": app.secret, **form},
            spends=purpose in {"exchange", "refresh"},
            secrets=(app.secret, *(v for k, v in form.items() if k != "grant_type")),
        )


@dataclass
class Provider:
    """The made-up provider: each credential works once.

    Attributes:
        posts: The path of each request, with the credential in it.
        loses: How many answers get lost after their requests were carried out.
    """

    alive: set[str] = field(default_factory=lambda: {"code-1"})
    posts: list[tuple[str, str]] = field(default_factory=list)
    loses: int = 0

    def answer(self, path: str, form: dict[str, str]) -> dict[str, Any] | None:
        """Carry a request out; None is an answer that gets lost."""
        credential = form.get("code") or form.get("refresh_token") or form["token"]
        self.posts.append((path, credential))
        if credential not in self.alive:
            return {"error": "invalid_grant", "error_description": "used"}
        self.alive.discard(credential)
        if path == "/revoke":
            return {}
        number = len(self.posts)
        self.alive |= {f"access-{number}", f"refresh-{number}"}
        if self.loses:
            self.loses -= 1
            return None
        return {
            "access_token": f"access-{number}",
            "refresh_token": f"refresh-{number}",
            "expires_in": 3600,
        }


@pytest.fixture
def provider() -> Provider:
    """The provider, with one code to exchange."""
    return Provider()


@pytest.fixture
def manager(
    provider: Provider, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TokenManager]:
    """A manager of one connection to the provider."""
    monkeypatch.setitem(APIS.listed, "rotating", (BUSINESS, f"{__name__}:RotatingApi"))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            form = {name: values[0] for name, values in parse_qs(body).items()}
            answer = provider.answer(self.path, form)
            if answer is not None:
                content = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (http.server's name)
            """Say nothing."""

    with Served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as served:
        config = parse(
            {
                **APP,
                "api": "rotating",
                "auth_code": "code-1",
                "code_verifier": "verifier-1",
                "business_api_url": served.url,
                "token_store": f"sqlite:///{tmp_path / 'tokens.db'}",
            }
        )
        with open_manager(config) as manager:
            yield manager


def test_exchange_refresh_and_revoke(manager: TokenManager, provider: Provider) -> None:
    """Its tokens are exchanged, used, refreshed with rotation, and revoked, like any other's."""
    connection = manager.connection("default")

    assert manager.get_token(connection).token.access_token == "access-1"
    assert manager.get_token(connection).token.access_token == "access-1"
    assert manager.get_token(connection, force=True).token.access_token == "access-2"
    assert manager.revoke(connection).status == "revoked"
    assert provider.posts == [
        ("/token", "code-1"),
        ("/token", "refresh-1"),
        ("/revoke", "access-2"),
    ]


def test_lost_answer(manager: TokenManager, provider: Provider) -> None:
    """A refresh whose answer is lost is tried once more by the next run; the old token goes on."""
    connection = manager.connection("default")
    manager.get_token(connection)
    provider.loses = 1

    kept = manager.get_token(connection, force=True)

    assert isinstance(kept.warning, NoAnswer)
    assert kept.token.access_token == "access-1"
    assert provider.posts[1:] == [("/token", "refresh-1")]
    assert isinstance(manager.get_token(connection, force=True).warning, GrantRejected)
    assert provider.posts[1:] == [("/token", "refresh-1")] * 2


@pytest.mark.parametrize(
    ("settings", "line"),
    [
        (
            {"grant_type": "client_credentials"},
            "grant_type client_credentials is for api login_kit",
        ),
        ({"advertiser_ids": ["1"], "auth_code": "c"}, "advertiser_ids is for api marketing"),
        ({"app_id": "x", "auth_code": "c"}, "no app id: those of api rotating are numbers"),
        ({"api": "rotated"}, "login_kit, rotating"),
    ],
)
def test_its_facts_rule_the_settings(
    manager: TokenManager, settings: dict[str, Any], line: str
) -> None:
    """What its class says decides which settings it takes; the list of names has it."""
    assert manager.config.connection("default")
    with pytest.raises(ConfigurationError, match=line):
        parse({**APP, "api": "rotating", **settings})
