"""`tiktok-auth doctor`: what it tells as a whole, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_tiktok_auth.doctor.settings import check_installation
from tests.login.people import run

if TYPE_CHECKING:
    from tests.doctor.patient import Patient


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


def test_the_old_backoff_is_told() -> None:
    """The distribution that overwrites files of ours is found, with the commands that mend it."""
    finding = check_installation(lambda name: name == "backoff")
    assert finding.level == "problem"
    assert finding.fix is not None
    assert finding.fix.startswith("pip uninstall -y backoff && ")
    finding = check_installation(lambda _: False)
    assert finding.level == "ok"
