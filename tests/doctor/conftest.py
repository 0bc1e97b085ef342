"""The patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.doctor.patient import Patient

if TYPE_CHECKING:
    from pathlib import Path

    from tap_tiktok_auth.simulator import Simulator


@pytest.fixture(name="patient")
def _patient(tiktok_simulator: Simulator, tmp_path: Path) -> Patient:
    return Patient(tiktok_simulator, tmp_path)
