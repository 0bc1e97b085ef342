"""The way to a PostgreSQL server: whom it leads to, and what may be said on it."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from tap_tiktok_auth.errors import ConfigurationError, StoreUnavailable
from tap_tiktok_auth.store import open_store
from tap_tiktok_auth.store.keys import new_key
from tap_tiktok_auth.store.postgres_address import parameters
from tests.certificates import server_context
from tests.postgres_server import PASSWORD
from tests.store.expect import one_line
from tests.store.impostor import Impostor

if TYPE_CHECKING:
    from pathlib import Path

    from tests.postgres_server import PostgresServer

pytestmark = pytest.mark.postgres

KEY = new_key()
#: Is reached over a network, as far as its name goes; `hostaddr` leads it to this machine.
HOST = "db.example.com"


def status(url: str, home: Path, *arguments: str, **environment: str) -> str:
    """Run `tiktok-auth` on a store; return all that it said."""
    program = "import sys; from tap_tiktok_auth.command import tiktok_auth; sys.exit(tiktok_auth())"
    done = subprocess.run(
        [sys.executable, "-c", program, *(arguments or ["status"])],
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(home),
            "TAP_TIKTOK_AUTH_TOKEN_STORE": url,
            "TAP_TIKTOK_AUTH_TOKEN_STORE_KEY": KEY,
            **environment,
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert PASSWORD not in done.stdout + done.stderr
    return done.stdout + done.stderr


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
        said = status(remote(impostor.port, **({"sslmode": mode} if mode else {})), tmp_path)
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
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """Variables that were set for some other database do not let the password out."""
    services = tmp_path / "services"
    services.write_text("[weak]\nsslmode=disable\nrequire_auth=password\nhostaddr=127.0.0.9\n")
    with Impostor() as impostor:
        said = status(remote(impostor.port), tmp_path, **environment, PGSERVICEFILE=str(services))
    assert impostor.asked
    assert impostor.told == []
    assert "does not offer TLS" in said


@pytest.mark.parametrize("methods", ["password", "scram-sha-256,password", "!md5", "!none,!gss"])
def test_the_address_cannot_ask_for_it_either(tmp_path: Path, methods: str) -> None:
    """A list of methods in the address adds to the protection and takes nothing away."""
    with Impostor() as impostor:
        status(remote(impostor.port, sslmode="disable", require_auth=methods), tmp_path)
    assert not any(PASSWORD.encode() in told for told in impostor.told)


def test_one_remote_host_among_several_is_enough(tmp_path: Path) -> None:
    """An address of several servers is as remote as any of them."""
    with Impostor() as impostor:
        url = f"postgresql://me:{PASSWORD}@localhost:{impostor.port},{HOST}:{impostor.port}/db"
        status(f"{url}?hostaddr=127.0.0.1,127.0.0.1", tmp_path)
    assert impostor.asked == 2
    assert impostor.told == []


@pytest.mark.parametrize("mode", ["verify-ca", "verify-full"])
def test_a_proven_server_may_ask(tmp_path: Path, mode: str) -> None:
    """A server that proves who it is gets the password, as LDAP and PAM need it."""
    context, trusted = server_context(HOST, tmp_path)
    with Impostor(tls=context) as impostor:
        status(remote(impostor.port, sslmode=mode, sslrootcert=str(trusted)), tmp_path)
    assert any(PASSWORD.encode() in told for told in impostor.told)


def test_a_certificate_of_another_host_is_told(tmp_path: Path) -> None:
    """With `verify-full` a certificate for another name ends it, in one line."""
    context, trusted = server_context("other.example.com", tmp_path)
    with Impostor(tls=context) as impostor:
        url = remote(impostor.port, sslmode="verify-full", sslrootcert=str(trusted))
        assert "certificate" in status(url, tmp_path)
    assert impostor.told == []


def test_another_address_in_the_environment_leads_nowhere(tmp_path: Path) -> None:
    """PGHOSTADDR does not move a store that has a host."""
    with Impostor() as mine, Impostor(address="127.0.0.2", port=mine.port) as elsewhere:
        url = f"postgresql://me:{PASSWORD}@127.0.0.1:{mine.port}/db"
        status(url, tmp_path, PGHOSTADDR="127.0.0.2")
        assert mine.asked
        assert elsewhere.asked == 0


def test_a_service_is_refused(tmp_path: Path) -> None:
    """A service in the address, which could lead anywhere, is refused in one line."""
    said = status("postgresql:///db?service=elsewhere", tmp_path)
    assert "must name host and database itself" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize(
    ("query", "environment", "expected"),
    [
        ("", {}, "require"),
        ("", {"PGSSLMODE": "verify-full"}, "verify-full"),
        ("", {"PGSSLMODE": "verify-ca"}, "verify-ca"),
        ("sslmode=disable", {"PGSSLMODE": "verify-full"}, "disable"),
        ("sslmode=verify-full", {"PGSSLMODE": "disable"}, "verify-full"),
        ("sslrootcert=system", {}, "verify-full"),
        ("", {"PGSSLROOTCERT": "system"}, "verify-full"),
    ],
)
def test_the_mode_of_a_remote_server(
    monkeypatch: pytest.MonkeyPatch, query: str, environment: dict[str, str], expected: str
) -> None:
    """The address decides; the environment may only ask for more than `require`."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert parameters(f"postgresql://{HOST}/db?{query}")["sslmode"] == expected


@pytest.mark.parametrize(
    "address",
    ["/db", "localhost/db", "127.0.0.1:5433/db", "127.4.5.6/db", "[::1]/db", "/db?host=/run/pg",
     "localhost,127.0.0.1/db"],
)  # fmt: skip
def test_this_machine_needs_no_tls(address: str) -> None:
    """A socket or a loopback address is used as it is."""
    found = parameters(f"postgresql://{address}")
    assert "sslmode" not in found
    assert "require_auth" not in found


@pytest.mark.parametrize(
    ("address", "environment"),
    [
        ("192.0.2.7/db", {}),
        ("[2001:db8::1]/db", {}),
        ("localhost.example.com/db", {}),
        ("127.0.0.1.example.com/db", {}),
        ("localhost/db?hostaddr=192.0.2.7", {}),
        ("/db?host=/run/pg,192.0.2.7", {}),
        ("/db", {"PGHOST": HOST}),
    ],
)
def test_what_is_remote(
    monkeypatch: pytest.MonkeyPatch, address: str, environment: dict[str, str]
) -> None:
    """Every other address needs TLS, also if it comes from PGHOST."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert parameters(f"postgresql://{address}")["sslmode"] == "require"


class TestRealServer:
    """A server that offers no TLS, but keeps the password safe."""

    @pytest.fixture
    def url(self, postgres_server: PostgresServer, postgres_database: str) -> str:
        """Return its address under another host's name, without a password."""
        query = "hostaddr=127.0.0.1&user=postgres"
        return f"postgresql://{HOST}:{postgres_server.port}/{postgres_database}?{query}"

    def test_is_refused_unless_the_user_says_so(self, url: str, tmp_path: Path) -> None:
        """Without TLS nothing is sent, unless the address says so; doctor then warns."""
        url = url.replace("//", f"//postgres:{PASSWORD}@")
        with one_line(StoreUnavailable, "does not offer TLS", "sslmode=disable"):
            open_store(url, KEY)
        said = status(f"{url}&sslmode=disable", tmp_path, "doctor")
        assert "can be written to" in said
        assert "with sslmode=disable the network can read and change what is sent" in said
        assert "sslmode=verify-full" in said

    def test_a_password_file_works(
        self, url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The password may stand in ~/.pgpass under the host's name."""
        file = tmp_path / "pgpass"
        file.write_text(f"{HOST}:*:*:postgres:{PASSWORD}\n")
        file.chmod(0o600)
        monkeypatch.setenv("PGPASSFILE", str(file))
        with closing(open_store(f"{url}&sslmode=disable", KEY)) as store:
            assert store.records() == []

    def test_doctor_is_content_on_this_machine(
        self, postgres_server: PostgresServer, postgres_database: str, tmp_path: Path
    ) -> None:
        """A server on this machine is no reason for a warning."""
        assert "sslmode" not in status(postgres_server.url(postgres_database), tmp_path, "doctor")


def test_a_malformed_list_of_methods_is_told() -> None:
    """What libpq does not know is told without the address."""
    with pytest.raises((ConfigurationError, StoreUnavailable)) as caught:
        open_store(f"postgresql://me:{PASSWORD}@{HOST}/db?require_auth=nonsense", KEY)
    assert PASSWORD not in str(caught.value)
