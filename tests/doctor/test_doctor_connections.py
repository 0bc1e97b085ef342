"""`tiktok-auth doctor` on connections that really need someone."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from tap_tiktok_auth.credentials.models import TokenRequestMark
from tap_tiktok_auth.store import open_store
from tests.doctor.patient import DAY, PREFIX, Patient
from tests.login.people import run


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
    assert "connection missing: pending: it has no token yet" in told["problem"]["message"]


def test_one_that_was_never_tried_is_told(patient: Patient) -> None:
    """With or without a store, a connection that no run has used is pending."""
    for there in (False, True):
        assert patient.database.exists() == there
        code, finding = patient.told("connection default: pending: ")
        assert (code, finding["level"], finding["status"]) == (0, "info", "pending")
        url, key = f"sqlite:///{patient.database}", patient.variables[f"{PREFIX}TOKEN_STORE_KEY"]
        open_store(url, key).close()


def test_one_whose_exchange_failed_has_no_token(patient: Patient) -> None:
    """After an exchange that failed, the doctor says when and why, and nothing of a token."""
    here = patient.variables[f"{PREFIX}BUSINESS_API_URL"]
    patient.set(business_api_url="http://127.0.0.1:9")
    assert run(patient.variables, "token", "default").exit_code == 1

    patient.set(business_api_url=here)
    code, finding = patient.told("connection default: pending: its last token request, at ")

    assert (code, finding["level"]) == (1, "problem")
    assert "cannot be reached" in finding["message"]
    assert "timer" not in finding["message"]
    assert "expire" not in finding["message"]


def test_a_login_that_is_missing_is_told_without_a_store(patient: Patient) -> None:
    """A connection of the config without a seed needs a person, also before there is a store."""
    patient.set(auth_code=None, connections=json.dumps([{"name": "acme"}]))

    code, finding = patient.told("connection acme: pending: it has no token yet")

    assert (code, finding["level"]) == (3, "problem")
    assert list(patient.folder.iterdir()) == []


def test_a_request_that_was_cut_short_is_told(patient: Patient) -> None:
    """Of a connection whose last request has no result yet, it is not said that all is well."""
    patient.become("accounts")
    patient.run()
    _change(patient, attempt=TokenRequestMark("key", time.time(), "sent"))

    _, finding = patient.told("is under way, or was cut short")

    assert finding["level"] == "info"


def _change(patient: Patient, **changes: Any) -> None:
    """Change what the store has of the connection."""
    url, key = f"sqlite:///{patient.database}", patient.variables[f"{PREFIX}TOKEN_STORE_KEY"]
    store = open_store(url, key)
    record = store.read("default")
    assert record is not None
    assert store.commit(replace(record, generation=record.generation + 1, **changes), None)
    store.close()


def _many(patient: Patient, count: int) -> None:
    """Have many connections: a third well, a third whose consent ends soon, a third over."""
    patient.become("accounts")
    patient.run()
    url, key = f"sqlite:///{patient.database}", patient.variables[f"{PREFIX}TOKEN_STORE_KEY"]
    store = open_store(url, key)
    record = store.read("default")
    assert record is not None
    assert record.token is not None
    for number in range(count):
        end = time.time() + (200, 5 + number % 9, -1)[number % 3] * DAY
        token = replace(
            record.token, expires_at=time.time() - 1, refresh_expires_at=end, consent_deadline=end
        )
        one = replace(record, name=f"c{number:03}", token=token, generation=1)
        assert store.commit(replace(one, app_secret="s" * 40, obtained_by="login"), None)
    store.close()


def test_two_hundred_connections_are_a_few_lines(patient: Patient) -> None:
    """The text tells the first of those that are alike, and how many more; JSON tells each."""
    _many(patient, 198)

    done = run(patient.variables, "doctor")
    _, findings = patient.examine()

    assert len(done.stdout.splitlines()) < 30
    assert done.stdout.count("65 more like this") == 2
    assert done.stdout.count("66 more like this") == 1
    assert "connection c002: reauthorization_required: the consent ended" in done.stdout
    assert "66 problems, 66 warnings" in done.stdout
    told = {f["connection"] for f in findings if f["check"] == "connection"}
    assert told == {"default", *(f"c{number:03}" for number in range(198))}
    assert done.exit_code == 3


def test_a_few_connections_are_told_each(patient: Patient) -> None:
    """Up to five that are alike have a line each."""
    _many(patient, 12)

    text = run(patient.variables, "doctor").stdout

    assert "more like this" not in text
    assert all(f"connection c{number:03}: " in text for number in range(12))
