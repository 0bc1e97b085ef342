"""Where the key of a SQLite store is kept when no setting gives it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tap_tiktok_auth.errors import StoreKeyError
from tap_tiktok_auth.store import files
from tap_tiktok_auth.store.crypto import Cipher, new_key

if TYPE_CHECKING:
    from collections.abc import Callable

    from tap_tiktok_auth.errors import StoreDamaged
    from tap_tiktok_auth.store.contract import Store


#: Bytes of a key file at most: thousands of keys.
_LARGEST = 1_000_000


def default_key_file() -> Path:
    """Return the place of the key file in the user's config folder."""
    import platformdirs  # noqa: PLC0415  (not needed where the settings give key and store)

    folder = Path(platformdirs.user_config_dir("tap-tiktok-auth"))
    return files.absolute(folder, "token_store_key") / "store.key"


def load(key_file: Path, *, create: bool) -> Cipher:
    """Return the cipher of a key file.

    Args:
        key_file: The file.
        create: Whether to make a key if there is none: only for a store that is new.

    Raises:
        StoreKeyError: There is no key file, or it is empty.
        StoreUnavailable: It cannot be read, or others may read it.
    """
    if create and not files.exists(key_file):
        files.create_once(key_file, new_key().encode() + b"\n")
    files.refuse_if_shared(key_file, "the key file")
    return Cipher.from_text(_text(key_file))


def rotate(
    store: Store, key_file: Path, damaged: Callable[[str, str, StoreDamaged], None] | None = None
) -> int:
    """Put a new key in front of a key file, and seal the store with it.

    The former keys stay in the file: other stores may be sealed with them, this one too until its
    rotation is through, and so may recovery files.

    Returns:
        How many connections were sealed again.

    Raises:
        StoreError: The key file or the store cannot be used; the store keeps its former key.
    """
    key_file = key_file.resolve()  # what a link leads to, lest it keep the former key alone
    with files.alone(key_file.parent):
        text = f"{new_key()},{_text(key_file)}"
        files.replace(key_file, text.encode() + b"\n")
        return store.rotate_key(Cipher.from_text(text), damaged)


def _text(key_file: Path) -> str:
    try:
        if key_file.stat().st_size > _LARGEST:
            raise StoreKeyError(
                f"the key file {key_file} is too large to hold keys",
                next_step="Restore it, or set token_store_key.",
            )
        text = key_file.read_text().strip()
    except FileNotFoundError:
        raise StoreKeyError(
            f"the key file {key_file} of the token store is missing",
            next_step="Restore it, or set token_store_key; without the key the tokens are lost.",
        ) from None
    except (OSError, UnicodeDecodeError):
        raise StoreKeyError(f"the key file {key_file} cannot be read") from None
    if not text:
        raise StoreKeyError(
            f"the key file {key_file} is empty", next_step="Restore it, or set token_store_key."
        )
    return text
