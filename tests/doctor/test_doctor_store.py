"""`tiktok-auth doctor` on keys and stores that are really broken."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from cryptography.fernet import Fernet

from tap_tiktok_auth.doctor.examination import check_store
from tap_tiktok_auth.errors import StoreUnavailable
from tap_tiktok_auth.store import open_store
from tests.doctor.patient import PREFIX, Patient
from tests.store.samples import left_behind


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
    assert (finding.level, finding.fix) == ("problem", "Make room.")


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
        file = left_behind(store, replace(record, generation=record.generation + 1))
    (file.parent / "another-stores.recovery").write_text("sealed by another key")
    _, finding = patient.told(f"1 new token waits in {file.parent}")
    assert finding["level"] == "warning"
    assert file.exists()
