"""`tiktok-auth doctor` on connections that really need someone."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest

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
