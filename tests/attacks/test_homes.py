"""Users without a home, links in place of files, and folders that others may write to."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import platformdirs
import pytest

from tap_tiktok_auth.errors import ConfigurationError, StoreUnavailable
from tap_tiktok_auth.store import keys, open_store, sqlite_path
from tap_tiktok_auth.store.files import create_once
from tap_tiktok_auth.store.keys import new_key
from tap_tiktok_auth.store.sql import SqlStore
from tap_tiktok_auth.store.sqlite import SQLite
from tests.store.samples import full_record, left_behind

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.attacks.conftest import Target


@pytest.mark.parametrize("place", [lambda: sqlite_path(None), keys.default_key_file])
def test_no_home_is_no_working_folder(
    place: Callable[[], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without a home no store is made where the command happens to run: the next would miss it."""
    for name in ("user_data_dir", "user_config_dir"):
        monkeypatch.setattr(platformdirs, name, lambda app: f"~/.local/share/{app}")
    with pytest.raises(ConfigurationError, match="no home folder"):
        place()


def test_a_link_to_nothing_is_no_store(tmp_path: Path) -> None:
    """A store is not made behind a link, where SQLite would let everyone read it."""
    former = os.umask(0)
    try:
        (tmp_path / "tokens.db").symlink_to(tmp_path / "elsewhere.db")
        with pytest.raises(StoreUnavailable, match="is a link to a file that is not there"):
            open_store(f"sqlite:///{tmp_path}/tokens.db", new_key())
    finally:
        os.umask(former)
    assert not (tmp_path / "elsewhere.db").exists()


def test_a_rotation_follows_a_link(tmp_path: Path) -> None:
    """The new key goes into the file that a link leads to, and the link stays."""
    real, link = tmp_path / "vault" / "store.key", tmp_path / "config" / "store.key"
    create_once(real, new_key().encode())
    link.parent.mkdir()
    link.symlink_to(real)
    store = SqlStore(SQLite(tmp_path / "a.db"), lambda _: keys.load(link, create=False))
    keys.rotate(store.rotate_key, link)
    store.close()
    assert link.is_symlink()
    assert len(real.read_text().split(",")) == 2


def test_a_folder_that_someone_else_made_gets_no_token(
    target: Target, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A link or an open folder that was put where recovery files go is passed over."""
    trap, state = tmp_path / "trap", tmp_path / "state"
    trap.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_STATE_HOME", str(state))
    with target.store() as store:
        (target.path.parent / "recovery").symlink_to(trap)
        file = left_behind(store, full_record())
    assert file.is_relative_to(state)
    assert list(trap.iterdir()) == []


def test_no_place_for_temporary_files(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without any folder for temporary files still takes tokens in, and refreshes."""

    def none() -> str:
        raise FileNotFoundError

    monkeypatch.setattr("tempfile.gettempdir", none)
    target.consent()
    with target.manager() as manager:
        assert manager.get_token(manager.connection("acme")).stored.generation == 2
