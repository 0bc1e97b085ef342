"""`tiktok-auth doctor` on stores, connections and hosts that really need someone."""

from __future__ import annotations

import json
import sqlite3
import time
from contextlib import closing
from dataclasses import replace
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from tap_tiktok_auth.credentials.models import TokenRequestMark
from tap_tiktok_auth.doctor.examination import check_store
from tap_tiktok_auth.errors import StoreUnavailable
from tests.served import Served
from tests.store.samples import left_behind

if TYPE_CHECKING:
    from tap_tiktok_auth.credentials.models import Token
    from tests.doctor.conftest import Patient

DAY = 86_400.0


def test_a_healthy_one_is_told_so(patient: Patient) -> None:
    """When all is well every line says ok, but for the used code, which is good to know."""
    patient.run()
    calls = patient.tiktok.count()
    code, findings = patient.examine()
    checks = {"installation", "config", "store", "connection", "network", "clock"}
    assert (code, {f["check"] for f in findings}) == (0, checks)
    (seed,) = (f for f in findings if f["level"] != "ok")
    assert (seed["level"], "the auth_code of the config was used" in seed["message"]) == (
        "info",
        True,
    )
    # One look at the host, without anything secret in it.
    (look,) = patient.tiktok.calls()[calls:]
    assert look.fields == ()


def test_nothing_is_made(patient: Patient) -> None:
    """Where there is no store yet the doctor says so, and makes none."""
    assert patient.finds("there is no token store yet")[:2] == (0, "info")
    assert patient.finds("connection default: pending: no run has used its seed")[:2] == (0, "info")
    patient.set(auth_code=None, connections=json.dumps([{"name": "acme"}]))
    assert patient.finds("connection acme: pending: it has no token yet")[:2] == (3, "problem")
    assert list(patient.folder.iterdir()) == []


def test_the_text_has_a_fix_below_each_trouble(patient: Patient) -> None:
    """Without --json each finding is a line, with what to do below it."""
    patient.set(app_secret=None)
    lines = patient.run("doctor", code=1).splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("problem"))
    assert "app_secret is missing" in lines[at]
    assert lines[at + 1].strip() == "-> Set app_secret."
    assert lines[-1] == "1 problem, 0 warnings"


# The store


@pytest.mark.parametrize(
    ("key", "words"),
    [("A" * 43 + "=", "key does not fit"), (None, "is missing")],
)
def test_a_key_that_does_not_fit_or_is_missing_is_told(
    patient: Patient, key: str | None, words: str
) -> None:
    """The wrong key is found without any call to TikTok's API, and no new one is made."""
    patient.run()
    patient.set(token_store_key=key)
    code, level, finding = patient.finds(words)
    assert (code, level, finding["check"]) == (1, "problem", "store")


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("UPDATE meta SET value = '99' WHERE name = 'schema_version'", "newer tap-tiktok-auth"),
        ("DROP TABLE connections", "database"),
        ("UPDATE connections SET payload = 'junk'", "damaged"),
        (None, ""),
    ],
)
def test_a_broken_store_is_told(patient: Patient, statement: str | None, words: str) -> None:
    """A newer schema, a missing table, a damaged row and junk are findings, not crashes."""
    patient.run()
    if statement is None:
        patient.database.write_bytes(b"junk" * 1000)
    else:
        with closing(sqlite3.connect(patient.database, isolation_level=None)) as database:
            database.execute(statement)
    code, findings = patient.examine()
    assert code == 1
    assert any(words in f["message"] and f["level"] == "problem" for f in findings), findings
    assert any(f["check"] == "network" for f in findings)


class _Failing:
    """A store, but for what raises an error.

    Args:
        store: The store.
        method: What raises it.
    """

    def __init__(self, store: object, method: str) -> None:
        self._store, self._method = store, method

    def __getattr__(self, name: str) -> Any:
        if name == self._method:
            raise StoreUnavailable("the disk is full", next_step="Make room.")
        return getattr(self._store, name)


@pytest.mark.parametrize("method", ["check_writable", "now"])
def test_a_store_that_fails_is_told(
    patient: Patient, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    """A store that cannot take a token, or goes away meanwhile, is told before one is spent."""
    patient.run()
    with patient.open() as store:
        failing = _Failing(store, method)
        monkeypatch.setattr("tap_tiktok_auth.doctor.examination.open_store", lambda *_: failing)
        code, level, finding = patient.finds("the disk is full")
    assert (code, level, finding["mend"]) == (1, "problem", "Make room.")


def test_a_place_where_no_store_can_be_is_told(patient: Patient) -> None:
    """A store that cannot be made is a problem that names the place."""
    (patient.folder / "file").touch()
    patient.set(token_store=f"sqlite:///{patient.folder}/file/tokens.db")
    code, level, finding = patient.finds("cannot be made")
    assert (code, level) == (1, "problem")
    assert finding["mend"].endswith(f"ls -ld {patient.folder}/file")


def test_a_shared_stores_clock_is_compared(patient: Patient) -> None:
    """A machine whose clock differs from the store's is told by how much, and which way."""
    patient.run()
    with patient.open(clock=lambda: 1000.0) as store:
        slow, well, fast = (
            [finding.text for finding in check_store(store, lambda now=now: now)]  # type: ignore[misc]
            for now in (880.0, 940.0, 1070.0)
        )
    assert "this machine's clock is 120 s behind the token store's" in slow
    assert "this machine's clock is 70 s ahead of the token store's" in fast
    assert len(well) == 1


def test_tokens_in_recovery_files_are_told(patient: Patient) -> None:
    """A token that waits in a file for the store to work again is pointed out."""
    patient.run()
    with patient.open() as store:
        stored = store.read("default")
        assert stored is not None
        file = left_behind(store, replace(stored, generation=stored.generation + 1))
    (file.parent / "another-stores.recovery").write_text("sealed by another key")
    assert patient.finds(f"1 new token waits in {file.parent}")[1] == "warning"
    assert file.exists()


# Connections


@pytest.mark.parametrize("api", ["accounts", "login_kit"])
def test_a_consent_that_ends_is_told(patient: Patient, api: str) -> None:
    """A consent with few days left is a warning; one that is over needs a person."""
    patient.become(api)
    age(patient, 20 * DAY)
    code, level, finding = patient.finds("its consent ends on")
    assert (code, level) == (0, "warning")
    assert "tiktok-auth login default" in finding["mend"]
    age(patient, -DAY)
    assert patient.finds("consent ended")[:2] == (3, "problem")


def age(patient: Patient, left: float) -> None:
    """Let the consent have so many seconds left, and the access token none."""
    with patient.open() as store:
        stored = store.read("default")
    assert stored is not None
    assert stored.token is not None
    patient.change(token=ending(stored.token, time.time() + left))


def ending(token: Token, end: float) -> Token:
    """Return a token that has expired, of a consent that ends so."""
    expired = time.time() - 1
    return replace(token, expires_at=expired, refresh_expires_at=end, consent_deadline=end)


def test_a_withdrawn_consent_needs_a_person(patient: Patient) -> None:
    """What TikTok refused in a run is told with exit code 3 and the command that fixes it."""
    patient.run()
    patient.tiktok.revoke(patient.run())
    patient.run("status", "--check", code=3)
    code, findings = patient.examine()
    (problem,) = (f for f in findings if f["level"] == "problem")
    assert (code, problem["mend"]) == (3, "Run: tiktok-auth login default")
    assert problem["status"] == "reauthorization_required"


def test_one_that_a_person_ended_is_no_trouble(patient: Patient) -> None:
    """A connection that was revoked on purpose is told as such, and nothing is wrong."""
    patient.run()
    patient.run("revoke", "default", "--yes")
    assert patient.finds("connection default: revoked: a person ended it")[:2] == (0, "info")


def test_a_refresh_that_fails_is_a_warning(patient: Patient) -> None:
    """A connection that works, though its last refresh did not, is told with the error."""
    patient.become("accounts")
    patient.tiktok.scenario("hang", path="/refresh_token/")
    patient.set(request_timeout="1")
    patient.run("token", "default", "--min-lifetime", "999999", code=0)
    _, level, finding = patient.finds("its last refresh")
    assert (level, finding["mend"]) == ("warning", "Run: tiktok-auth refresh default")


def test_one_whose_exchange_failed_has_no_token(patient: Patient) -> None:
    """After an exchange that failed, the doctor says when and why, and nothing of a token."""
    here = patient.variables["TAP_TIKTOK_AUTH_BUSINESS_API_URL"]
    patient.set(business_api_url="http://127.0.0.1:9")
    patient.run("token", "default", code=1)
    patient.set(business_api_url=here)
    code, level, finding = patient.finds("connection default: pending: its last token request, at ")
    assert (code, level) == (1, "problem")
    assert "cannot be reached" in finding["message"]
    assert "expire" not in finding["message"]


def test_several_connections_are_told_each(patient: Patient) -> None:
    """One bad connection does not hide the others."""
    good = {"name": "good", **patient.tiktok.settings("accounts")}
    for name in ("business_api_url", "login_kit_api_url", "tiktok_url", "advertiser_ids"):
        good.pop(name, None)
    entries = [good, {"name": "missing", "api": "marketing"}]
    patient.set(auth_code=None, connections=json.dumps(entries))
    patient.run("token", "good")
    code, findings = patient.examine()
    told = {f["level"]: f for f in findings if f["check"] == "connection"}
    assert code == 3
    assert "good" in told["ok"]["message"]
    assert "connection missing: pending: it has no token yet" in told["problem"]["message"]


def test_a_request_that_was_cut_short_is_told(patient: Patient) -> None:
    """Of a connection whose last request has no result yet, it is not said that all is well."""
    patient.become("accounts")
    patient.change(attempt=TokenRequestMark("key", time.time(), "sent"))
    assert patient.finds("is under way, or was cut short")[1] == "info"


@pytest.mark.parametrize("count", [12, 198])
def test_two_hundred_connections_are_a_few_lines(patient: Patient, count: int) -> None:
    """The text tells the first of those that are alike, from six on; JSON tells each.

    A third is well, for a third the consent ends soon, and for a third it is over.
    """
    patient.become("accounts")
    names = [f"c{number:03}" for number in range(count)]
    with patient.open() as store:
        stored = store.read("default")
        assert stored is not None
        assert stored.token is not None
        for number, name in enumerate(names):
            end = time.time() + (200, 5 + number % 9, -1)[number % 3] * DAY
            token = ending(stored.token, end)
            one = replace(stored, name=name, token=token, generation=1, obtained_by="login")
            assert store.commit(replace(one, app_secret="s" * 40), None)

    text = patient.run("doctor", code=3)
    _, findings = patient.examine()

    assert {f["connection"] for f in findings if f["check"] == "connection"} == {"default", *names}
    assert f"{count // 3} problems, {count // 3} warnings" in text
    assert "connection c002: reauthorization_required: the consent ended" in text
    if count == 12:
        assert "more like this" not in text
        assert all(f"connection {name}: " in text for name in names)
    else:
        assert len(text.splitlines()) < 30
        assert [text.count(f"{more} more like this") for more in (65, 66)] == [2, 1]


# TikTok's hosts


def test_hosts_that_do_not_answer_are_told(patient: Patient) -> None:
    """An unreachable host is a problem that names the setting, never a traceback."""
    patient.set(login_kit_api_url="http://127.0.0.1:9", tiktok_url="http://127.0.0.2:9")
    _, findings = patient.examine()
    needless = [f["level"] for f in findings if "cannot be reached" in f["message"]]
    assert needless == ["warning", "warning"]
    patient.tiktok.stop()
    patient.set(login_kit_api_url=patient.tiktok.url, tiktok_url=patient.tiktok.url)
    code, level, finding = patient.finds("cannot be reached")
    assert (code, level, finding["check"]) == (1, "problem", "network")
    assert "business_api_url" in finding["mend"]


class _Clock(BaseHTTPRequestHandler):
    """A host whose clock is wrong by the server's `skew`; it tells no time if that is None."""

    def do_HEAD(self) -> None:
        """Tell the time."""
        self.send_response_only(404)
        skew: float | None = self.server.skew  # type: ignore[attr-defined]
        if skew is not None:
            self.send_header("Date", formatdate(time.time() + skew, usegmt=True))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize(
    ("skew", "code", "level", "words"),
    [
        (0, 0, "ok", "agrees"),
        (600, 0, "warning", "s behind that of"),
        (-600, 0, "warning", "s ahead of that of"),
        (7200, 1, "problem", "s behind that of"),
        (None, 0, "ok", "answers"),
    ],
)
def test_a_wrong_clock_is_told(
    patient: Patient, skew: float | None, code: int, level: str, words: str
) -> None:
    """The Date header of TikTok's host tells how wrong this machine's clock is."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Clock)
    server.skew = skew  # type: ignore[attr-defined]
    with Served(server) as host:
        patient.set(business_api_url=host.url, login_kit_api_url=host.url, tiktok_url=host.url)
        assert patient.finds(words)[:2] == (code, level)
