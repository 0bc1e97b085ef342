"""The way to a PostgreSQL server: whom it leads to, and what may be said on it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.errors import ConfigurationError, StoreUnavailable
from tap_tiktok_auth.store import open_store
from tap_tiktok_auth.store.keys import new_key
from tap_tiktok_auth.store.postgres_address import parameters
from tests.certificates import server_context
from tests.postgres_server import PASSWORD
from tests.store.expect import one_line, run_command

if TYPE_CHECKING:
    import ssl
    from pathlib import Path

    from typing_extensions import Self

    from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.postgres

KEY = new_key()
#: Is reached over a network, as far as its name goes; `hostaddr` leads it to this machine.
HOST = "db.example.com"
_TLS_WANTED = 80877103
_ASK = struct.pack("!cii", b"R", 8, 3)


class Impostor:
    """A server that asks for a password in clear text, and keeps what it is told.

    Args:
        tls: What it needs to speak TLS; None if it declines.
        address: Where it listens.
        port: On which port; 0 takes a free one.
    """

    def __init__(
        self, *, tls: ssl.SSLContext | None = None, address: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._tls = tls
        self._listener = socket.create_server((address, port))
        self.port = int(self._listener.getsockname()[1])
        self.asked = 0
        self.told: list[bytes] = []

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return  # it was told to stop
            client.settimeout(20)
            with client, contextlib.suppress(OSError):
                self._talk(client)

    def _talk(self, client: socket.socket) -> None:
        self.asked += 1
        if struct.unpack("!ii", client.recv(8, socket.MSG_PEEK))[1] == _TLS_WANTED:
            client.recv(8)
            client.sendall(b"S" if self._tls else b"N")
            if self._tls:
                client = self._tls.wrap_socket(client, server_side=True)
        with client:
            if client.recv(4096):
                client.sendall(_ASK)
                self.told.append(client.recv(4096))


def refusal(url: str) -> str:
    """Open a store in vain, and return the line that says why."""
    with pytest.raises((ConfigurationError, StoreUnavailable)) as caught:
        open_store(url, KEY)
    assert PASSWORD not in str(caught.value)
    return str(caught.value)


def remote(port: int, **options: str) -> str:
    """Return the address of a server on this machine that has another host's name."""
    query = "&".join(f"{name}={value}" for name, value in options.items())
    return f"postgresql://me:{PASSWORD}@{HOST}:{port}/db?hostaddr=127.0.0.1&{query}"


@pytest.mark.parametrize("mode", ["", "disable", "allow", "prefer", "require"])
@pytest.mark.parametrize("tls", [False, True])
def test_nobody_unproven_gets_the_password(tmp_path: Path, mode: str, *, tls: bool) -> None:
    """A server that declines TLS, or whose certificate nobody checks, is told no password."""
    context = server_context(HOST, tmp_path)[0] if tls else None
    with Impostor(tls=context) as impostor:
        said = refusal(remote(impostor.port, **({"sslmode": mode} if mode else {})))
    assert impostor.asked
    assert not any(PASSWORD.encode() in told for told in impostor.told)
    wants_tls = mode in {"", "require"}
    assert ("does not offer TLS" if wants_tls and not tls else "in clear text") in said


@pytest.mark.parametrize(
    "environment",
    [
        {"PGSSLMODE": "disable"},
        {"PGSSLMODE": "prefer", "PGREQUIREAUTH": "password"},
        {"PGREQUIREAUTH": "password"},
        {"PGSERVICE": "weak"},
    ],
    ids=str,
)
def test_the_environment_takes_no_protection_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    """Variables that were set for some other database do not let the password out."""
    services = tmp_path / "services"
    services.write_text("[weak]\nsslmode=disable\nrequire_auth=password\nhostaddr=127.0.0.9\n")
    for name, value in (*environment.items(), ("PGSERVICEFILE", str(services))):
        monkeypatch.setenv(name, value)
    with Impostor() as impostor:
        assert "does not offer TLS" in refusal(remote(impostor.port))
    assert impostor.asked
    assert impostor.told == []


@pytest.mark.parametrize("methods", ["password", "scram-sha-256,password", "!md5", "!none,!gss"])
def test_the_address_cannot_ask_for_it_either(methods: str) -> None:
    """A list of methods in the address adds to the protection and takes nothing away."""
    with Impostor() as impostor:
        refusal(remote(impostor.port, sslmode="disable", require_auth=methods))
    assert impostor.asked
    assert not any(PASSWORD.encode() in told for told in impostor.told)


def test_one_remote_host_among_several_is_enough() -> None:
    """An address of several servers is as remote as any of them."""
    with Impostor() as impostor:
        url = f"postgresql://me:{PASSWORD}@localhost:{impostor.port},{HOST}:{impostor.port}/db"
        refusal(f"{url}?hostaddr=127.0.0.1,127.0.0.1")
    assert impostor.asked == 2
    assert impostor.told == []


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_a_proven_server_may_ask(tmp_path: Path, mode: str) -> None:
    """A server that proves who it is gets the password, as LDAP and PAM need it."""
    context, trusted = server_context(HOST, tmp_path)
    with Impostor(tls=context) as impostor:
        refusal(remote(impostor.port, sslmode=mode, sslrootcert=str(trusted)))
    assert any(PASSWORD.encode() in told for told in impostor.told)


def test_a_certificate_of_another_host_is_told(tmp_path: Path) -> None:
    """With `verify-full` a certificate for another name ends it, in one line."""
    context, trusted = server_context("other.example.com", tmp_path)
    with Impostor(tls=context) as impostor:
        url = remote(impostor.port, sslmode="verify-full", sslrootcert=str(trusted))
        assert "certificate" in refusal(url)
    assert impostor.told == []


def test_another_address_in_the_environment_leads_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """PGHOSTADDR does not move a store that has a host."""
    monkeypatch.setenv("PGHOSTADDR", "127.0.0.2")
    with Impostor() as mine, Impostor(address="127.0.0.2", port=mine.port) as elsewhere:
        refusal(f"postgresql://me:{PASSWORD}@127.0.0.1:{mine.port}/db")
        assert mine.asked
        assert elsewhere.asked == 0


def test_a_service_is_refused() -> None:
    """A service in the address, which could lead anywhere, is refused."""
    assert "must name host and database itself" in refusal("postgresql:///db?service=elsewhere")


@pytest.mark.parametrize(
    ("address", "environment", "mode"),
    [
        # The address decides; the environment may only ask for more than `require`.
        (f"{HOST}/db", {}, "require"),
        (f"{HOST}/db", {"PGSSLMODE": "verify-full"}, "verify-full"),
        (f"{HOST}/db", {"PGSSLMODE": "verify-ca"}, "verify-ca"),
        (f"{HOST}/db?sslmode=disable", {"PGSSLMODE": "verify-full"}, "disable"),
        (f"{HOST}/db?sslmode=verify-full", {"PGSSLMODE": "disable"}, "verify-full"),
        (f"{HOST}/db?sslrootcert=system", {}, "verify-full"),
        (f"{HOST}/db", {"PGSSLROOTCERT": "system"}, "verify-full"),
        # A socket or a loopback address is used as it is, everything else needs TLS.
        ("/db", {}, None),
        ("localhost/db", {}, None),
        ("127.0.0.1:5433/db", {}, None),
        ("127.4.5.6/db", {}, None),
        ("[::1]/db", {}, None),
        ("/db?host=/run/pg", {}, None),
        ("localhost,127.0.0.1/db", {}, None),
        ("192.0.2.7/db", {}, "require"),
        ("[2001:db8::1]/db", {}, "require"),
        ("localhost.example.com/db", {}, "require"),
        ("127.0.0.1.example.com/db", {}, "require"),
        ("localhost/db?hostaddr=192.0.2.7", {}, "require"),
        ("/db?host=/run/pg,192.0.2.7", {}, "require"),
        ("/db", {"PGHOST": HOST}, "require"),
    ],
)
def test_the_mode_of_tls(
    monkeypatch: pytest.MonkeyPatch, address: str, environment: dict[str, str], mode: str | None
) -> None:
    """A server of another machine needs TLS, also if it comes from PGHOST; this one does not."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    found = parameters(f"postgresql://{address}")
    assert found.get("sslmode") == mode
    assert mode is not None or "require_auth" not in found


@pytest.mark.parametrize(
    "address",
    [
        "me:SECRET@SECRET@host/db",
        "me:SECRET/SECRET@host/db",
        "me:SECRET@host:SECRET/db",
        "me:SECRET@host/db?nonsense=SECRET",
        "me:SECRET%zz@host/db",
        "me:SECRET@host/db?require_auth=nonsense",
    ],
)
def test_a_malformed_address_is_not_shown(address: str) -> None:
    """An address whose password was not encoded is refused without any part of it."""
    said = refusal(f"postgresql://{address}")
    assert "SECRET" not in said
    if "require_auth" not in address:  # which the driver checks
        assert "host/db" not in said
        assert "token_store is not a valid PostgreSQL address" in said
        assert "percent-encoded" in said


@pytest.fixture
def real(postgres_server: PostgresServer, postgres_database: str) -> str:
    """Return the address of a server without TLS under another host's name, without a password."""
    query = "hostaddr=127.0.0.1&user=postgres"
    return f"postgresql://{HOST}:{postgres_server.port}/{postgres_database}?{query}"


def test_a_server_without_tls_needs_the_users_word(
    real: str, postgres_url: str, tmp_path: Path
) -> None:
    """Without TLS nothing is sent unless the address says so; doctor then warns."""
    url = real.replace("//", f"//postgres:{PASSWORD}@")
    with one_line(StoreUnavailable, "does not offer TLS", "sslmode=disable"):
        open_store(url, KEY)
    _, said = run_command(f"{url}&sslmode=disable", KEY, tmp_path, "doctor")
    assert "can be written to" in said
    assert "with sslmode=disable the network can read and change what is sent" in said
    assert "sslmode=verify-full" in said
    assert "sslmode" not in run_command(postgres_url, KEY, tmp_path, "doctor")[1]  # this machine


def test_a_password_file_works(real: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The password may stand in ~/.pgpass under the host's name."""
    file = tmp_path / "pgpass"
    file.write_text(f"{HOST}:*:*:postgres:{PASSWORD}\n")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    with closing(open_store(f"{real}&sslmode=disable", KEY)) as store:
        assert store.records() == []
