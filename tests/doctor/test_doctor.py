"""`tiktok-auth doctor`: every finding, with its mend, on things that are really broken."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.fernet import Fernet

from tap_tiktok_auth.configuration import parse
from tap_tiktok_auth.doctor.config import check_config
from tap_tiktok_auth.doctor.installation import check_installation
from tap_tiktok_auth.doctor.storage import check_store
from tap_tiktok_auth.errors import StoreUnavailable
from tap_tiktok_auth.setting_values import from_environment
from tap_tiktok_auth.store import open_store, recovery
from tests.login.people import environment, run

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_tiktok_auth.simulator import Simulator

PREFIX = "TAP_TIKTOK_AUTH_"
DAY = 86_400.0


class Patient:
    """Settings to be examined.

    Args:
        tiktok: The simulator that they point to.
        folder: Where their store is.
    """

    def __init__(self, tiktok: Simulator, folder: Path) -> None:
        self.tiktok = tiktok
        self.folder = folder / "store"
        self.folder.mkdir(mode=0o700)
        self.variables = environment(tiktok, self.folder)
        self.variables[f"{PREFIX}AUTH_CODE"] = tiktok.authorize("marketing")

    @property
    def database(self) -> Path:
        """The file of the store."""
        return self.folder / "tokens.db"

    def set(self, **settings: str | None) -> None:
        """Set settings; None removes one."""
        for name, value in settings.items():
            self.variables.pop(PREFIX + name.upper(), None)
            if value is not None:
                self.variables[PREFIX + name.upper()] = value

    def become(self, api: str) -> None:
        """Be a connection of another token system."""
        for name, value in self.tiktok.settings(api).items():
            self.set(**{name: value})

    def run(self) -> None:
        """Have a fresh token once."""
        assert run(self.variables, "token", "default").exit_code == 0

    def examine(self, *arguments: str) -> tuple[int, list[dict[str, Any]]]:
        """Return the doctor's exit code and findings."""
        done = run(self.variables, "doctor", "--json", *arguments)
        assert "Traceback" not in done.output
        findings: list[dict[str, Any]] = json.loads(done.stdout)
        for secret in ("APP_SECRET", "TOKEN_STORE_KEY", "AUTH_CODE"):
            assert self.variables.get(PREFIX + secret, "\0") not in done.output
        return done.exit_code, findings

    def told(self, words: str, *arguments: str) -> tuple[int, dict[str, Any]]:
        """Return the exit code and the one finding with these words."""
        code, findings = self.examine(*arguments)
        found = [finding for finding in findings if words in finding["message"]]
        assert len(found) == 1, findings
        return code, found[0]


@pytest.fixture(name="patient")
def _patient(tiktok_simulator: Simulator, tmp_path: Path) -> Patient:
    return Patient(tiktok_simulator, tmp_path)


def test_a_healthy_one_is_told_so(patient: Patient) -> None:
    """When all is well every line says ok, but for the used code, which is good to know."""
    patient.run()
    calls = patient.tiktok.count()
    code, findings = patient.examine()
    assert code == 0
    assert {f["check"] for f in findings} == {
        "installation",
        "config",
        "store",
        "connection",
        "network",
        "clock",
    }
    assert {f["level"] for f in findings} == {"ok", "info"}
    seed = next(f for f in findings if f["level"] == "info")
    assert "the auth_code of the config was used" in seed["message"]
    # One look at the host, without anything secret in it.
    (look,) = patient.tiktok.calls()[calls:]
    assert look.fields == ()


def test_nothing_is_made(patient: Patient) -> None:
    """Where there is no store yet the doctor says so, and makes none."""
    code, finding = patient.told("there is no token store yet")
    assert (code, finding["level"]) == (0, "info")
    assert list(patient.folder.iterdir()) == []


def test_the_text_has_a_mend_below_each_trouble(patient: Patient) -> None:
    """Without --json each finding is a line, with what to do below it."""
    patient.set(app_secret=None)
    done = run(patient.variables, "doctor")
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("problem"))
    assert "app_secret is missing" in lines[at]
    assert lines[at + 1].strip() == "-> Set app_secret."
    assert lines[-1] == "1 problem, 0 warnings"


@pytest.mark.parametrize(
    ("settings", "level", "words"),
    [
        ({"api": "nonsense"}, "problem", "setting api must be one of"),
        ({"refresh_margin": "soon"}, "problem", "must be a whole number"),
        ({"connections": "{"}, "problem", "list of objects"),
        ({"token_store": "tokens.db"}, "problem", "token_store is not an address"),
        ({"token_store_key": "short"}, "problem", "token_store_key is not a Fernet key"),
        ({"business_api_url": "http://example.com"}, "problem", "must be https"),
        ({"refresh_token": "r"}, "problem", "stand beside each other"),
        ({"appid": "x"}, "warning", "TAP_TIKTOK_AUTH_APPID is no setting"),
        ({"long_term_token": "false"}, "warning", "long_term_token does nothing"),
        ({"auth_code": "aw%2A3%214964"}, "warning", "URL-encoded still"),
        ({"tiktok_url": "https://127.0.0.2:9"}, "warning", "no connection"),
    ],
)
def test_settings_are_told(
    patient: Patient, settings: dict[str, str], level: str, words: str
) -> None:
    """Errors of the config are findings like all others, and contradictions are warned about."""
    patient.set(**settings)
    code, finding = patient.told(words)
    assert (code, finding["level"]) == (1 if level == "problem" else 0, level)
    assert finding["mend"]


def test_hosts_that_do_not_belong_together_are_told(patient: Patient) -> None:
    """A simulator for one API beside TikTok itself for the other is a mistake."""
    patient.set(login_kit_api_url=None, tiktok_url=None)

    found = list(check_config(parse(from_environment(patient.variables))))
    assert any("business_api_url points to this machine" in f.message for f in found)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"redirect_uri": None}, "wants the redirect_uri"),
        ({"redirect_uri": "https://example.com/x"}, "must end with a slash"),
        ({"auth_code": None, "access_token": "act.made-up"}, "ends within a day"),
    ],
)
def test_account_holders_settings_are_told(
    patient: Patient, settings: dict[str, str | None], words: str
) -> None:
    """What the Accounts API would refuse later is told now."""
    patient.become("accounts")
    patient.set(**settings)
    _, finding = patient.told(words)
    assert finding["level"] == "warning"


def test_config_files_are_looked_at(patient: Patient, tmp_path: Path) -> None:
    """Secrets that others may read, and settings that hide others, are told."""
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"app_secret": "of-the-file", "refresh_margin": 60}))
    config.chmod(0o644)
    _, finding = patient.told("has secrets and is open", "--config", str(config))
    assert finding["mend"] == f"chmod 600 {config}"
    _, finding = patient.told("overrides variables of the environment", "--config", str(config))
    assert finding["message"].endswith(": app_secret")
    code, finding = patient.told("cannot be read", "--config", str(tmp_path / "none.json"))
    assert (code, finding["level"]) == (1, "problem")


@pytest.mark.parametrize(
    ("name", "mode", "words", "level"),
    [
        (".", 0o755, "is open to other users (mode 755)", "warning"),
        ("tokens.db", 0o644, "is open to other users", "problem"),
    ],
)
def test_modes_are_told_with_the_command_that_mends_them(
    patient: Patient, name: str, mode: int, words: str, level: str
) -> None:
    """Files and folders that others may read are found, and the chmod is right."""
    patient.run()
    place = patient.folder / name
    place.chmod(mode)
    _, finding = patient.told(words)
    assert finding["level"] == level
    command, wanted, path = finding["mend"].removeprefix("Run: ").split()
    assert (command, Path(path)) == ("chmod", place.resolve())
    place.chmod(int(wanted, 8))
    assert not any(words in f["message"] for f in patient.examine()[1])


def test_a_key_that_does_not_fit_is_told(patient: Patient) -> None:
    """The wrong key is found without any call to TikTok's API."""
    patient.run()
    patient.set(token_store_key=Fernet.generate_key().decode())
    code, finding = patient.told("key does not fit")
    assert (code, finding["check"]) == (1, "store")


def test_a_missing_key_file_is_told(patient: Patient) -> None:
    """A store whose key file is gone is a problem, and no new key is made."""
    patient.run()
    patient.set(token_store_key=None)
    code, finding = patient.told("key file")
    assert (code, finding["level"]) == (1, "problem")
    assert "is missing" in finding["message"]


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE meta SET value = '99' WHERE name = 'schema_version'", "newer tap-tiktok-auth"),
        ("DROP TABLE connections", "database"),
        ("UPDATE connections SET payload = 'junk'", "damaged"),
    ],
)
def test_a_broken_store_is_told(patient: Patient, statement: str, words: str) -> None:
    """A newer schema, a missing table and a damaged row are findings, not crashes."""
    patient.run()
    with closing(sqlite3.connect(patient.database, isolation_level=None)) as database:
        database.execute(statement)
    code, findings = patient.examine()
    assert code == 1
    assert any(words in f["message"] and f["level"] == "problem" for f in findings), findings
    assert any(f["check"] == "network" for f in findings)


def test_a_file_that_is_no_store_is_told(patient: Patient) -> None:
    """Junk in place of the store is a finding."""
    patient.database.write_bytes(b"junk" * 1000)
    patient.database.chmod(0o600)
    assert patient.examine()[0] == 1


def test_a_store_that_cannot_be_written_to_is_told(patient: Patient) -> None:
    """A store that cannot take a token is told before one is spent."""
    patient.run()
    store = open_store(
        f"sqlite:///{patient.database}", patient.variables[f"{PREFIX}TOKEN_STORE_KEY"]
    )

    class ReadOnly:
        """The store, but for writing."""

        def __getattr__(self, name: str) -> Any:
            return getattr(store, name)

        def check_writable(self) -> None:
            """Fail as a full disk would."""
            raise StoreUnavailable("the disk is full", next_step="Make room.")

    finding = next(iter(check_store(ReadOnly())))  # type: ignore[arg-type]
    store.close()
    assert (finding.level, finding.mend) == ("problem", "Make room.")


def test_a_place_where_no_store_can_be_is_told(patient: Patient) -> None:
    """A store that cannot be made is a problem that names the place."""
    (patient.folder / "file").touch()
    patient.set(token_store=f"sqlite:///{patient.folder}/file/tokens.db")
    code, finding = patient.told("cannot be made")
    assert (code, finding["level"]) == (1, "problem")
    assert finding["mend"].endswith(f"ls -ld {patient.folder}/file")


def test_a_shared_stores_clock_is_compared(patient: Patient) -> None:
    """A machine whose clock differs from the store's is told by how much, and which way."""
    patient.run()
    url, key = f"sqlite:///{patient.database}", patient.variables[f"{PREFIX}TOKEN_STORE_KEY"]
    with closing(open_store(url, key, clock=lambda: 1000.0)) as store:
        messages = [f.message for f in check_store(store, lambda: 880.0)]
        assert "this machine's clock is 120 s behind the token store's" in messages
        assert len(list(check_store(store, lambda: 990.0))) == 1


def test_tokens_in_recovery_files_are_told(patient: Patient) -> None:
    """A token that waits in a file for the store to work again is pointed out."""
    patient.run()
    url, key = f"sqlite:///{patient.database}", patient.variables[f"{PREFIX}TOKEN_STORE_KEY"]
    with closing(open_store(url, key)) as store:
        record = store.read("default")
        assert record is not None
        file = recovery.write(store, replace(record, generation=record.generation + 1))
    (file.parent / "another-stores.recovery").write_text("sealed by another key")
    _, finding = patient.told(f"1 new token waits in {file.parent}")
    assert finding["level"] == "warning"
    assert file.exists()


@pytest.mark.parametrize("api", ["accounts", "login_kit"])
def test_a_consent_that_ends_is_told(patient: Patient, api: str) -> None:
    """A consent with few days left is a warning; one that is over needs a person."""
    patient.become(api)
    patient.run()
    _age(patient, 20 * DAY)
    code, finding = patient.told("its consent ends on")
    assert (code, finding["level"]) == (0, "warning")
    assert "tiktok-auth login default" in finding["mend"]
    _age(patient, -DAY)
    code, finding = patient.told("consent ended")
    assert (code, finding["level"]) == (3, "problem")


def _age(patient: Patient, left: float) -> None:
    """Let the consent have so many seconds left, and the access token none."""
    url, key = f"sqlite:///{patient.database}", patient.variables[f"{PREFIX}TOKEN_STORE_KEY"]

    store = open_store(url, key)
    record = store.read("default")
    assert record is not None
    assert record.token is not None
    now = time.time()
    end = now + left
    token = replace(record.token, expires_at=now - 1, refresh_expires_at=end, consent_deadline=end)
    assert store.commit(replace(record, token=token, generation=record.generation + 1), None)
    store.close()


def test_a_withdrawn_consent_needs_a_person(patient: Patient) -> None:
    """What TikTok refused in a run is told with exit code 3 and the command to mend it."""
    patient.run()
    token = run(patient.variables, "token", "default").stdout.strip()
    patient.tiktok.revoke(token)
    run(patient.variables, "status", "--check")
    code, findings = patient.examine()
    (problem,) = (f for f in findings if f["level"] == "problem")
    assert code == 3
    assert problem["mend"] == "Run: tiktok-auth login default"


def test_a_refresh_that_fails_is_a_warning(patient: Patient) -> None:
    """A connection that works, though its last refresh did not, is told with the error."""
    patient.become("accounts")
    patient.run()
    patient.tiktok.scenario("hang", path="/refresh_token/")
    patient.set(request_timeout="1")
    run(patient.variables, "token", "default", "--min-lifetime", "999999")
    _, finding = patient.told("its last refresh")
    assert (finding["level"], finding["mend"]) == ("warning", "Run: tiktok-auth refresh default")


def test_hosts_that_do_not_answer_are_told(patient: Patient) -> None:
    """An unreachable host is a problem that names the setting, never a traceback."""
    patient.tiktok.stop()
    code, finding = patient.told("cannot be reached")
    assert (code, finding["check"]) == (1, "network")
    assert "business_api_url" in finding["mend"]


class _Clock(BaseHTTPRequestHandler):
    """A host whose clock is wrong by the server's `skew`."""

    def do_HEAD(self) -> None:
        """Tell the time."""
        self.send_response_only(404)
        self.send_header("Date", formatdate(time.time() + self.server.skew, usegmt=True))  # type: ignore[attr-defined]
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(name="clock_host")
def _clock_host() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Clock)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("skew", "code", "level", "words"),
    [
        (0, 0, "ok", "agrees"),
        (600, 0, "warning", "s behind that of"),
        (-600, 0, "warning", "s ahead of that of"),
        (7200, 1, "problem", "s behind that of"),
    ],
)
def test_a_wrong_clock_is_told(
    patient: Patient, clock_host: ThreadingHTTPServer, skew: int, code: int, level: str, words: str
) -> None:
    """The Date header of TikTok's host tells how wrong this machine's clock is."""
    clock_host.skew = skew  # type: ignore[attr-defined]
    url = f"http://127.0.0.1:{clock_host.server_address[1]}"
    patient.set(business_api_url=url, login_kit_api_url=url, tiktok_url=url)
    found_code, finding = patient.told(words)
    assert (found_code, finding["level"]) == (code, level)


def test_the_old_backoff_is_told() -> None:
    """The distribution that overwrites files of ours is found, with the commands that mend it."""
    (finding,) = check_installation(lambda name: name == "backoff")
    assert finding.level == "problem"
    assert finding.mend is not None
    assert finding.mend.startswith("pip uninstall -y backoff && ")
    (finding,) = check_installation(lambda _: False)
    assert finding.level == "ok"


def test_several_connections_are_told_each(patient: Patient) -> None:
    """One bad connection does not hide the others."""
    entries = [
        {"name": "good", **patient.tiktok.settings("accounts")},
        {"name": "missing", "api": "marketing"},
    ]
    for entry in entries:
        for name in ("business_api_url", "login_kit_api_url", "tiktok_url", "advertiser_ids"):
            entry.pop(name, None)
    patient.set(auth_code=None, connections=json.dumps(entries))
    assert run(patient.variables, "token", "good").exit_code == 0
    code, findings = patient.examine()
    told = {f["level"]: f for f in findings if f["check"] == "connection"}
    assert code == 3
    assert "good" in told["ok"]["message"]
    assert "connection missing: it has no token yet" in told["problem"]["message"]
