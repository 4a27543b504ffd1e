"""Whether a file is what was written: one that is damaged may tell anything, or end the process that maps it."""

from __future__ import annotations

import hashlib
from pathlib import Path

from journey_nb.store.database import StoreError

Written = tuple[int, str]
"""How many bytes a file had, and its SHA-256."""


def sha256(path: Path) -> str:
    """The SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_sound(path: Path, written: Written) -> bool:
    """Whether a file is there and what was written."""
    size, digest = written
    return path.is_file() and path.stat().st_size == size and sha256(path) == digest


def check_sound(path: Path, written: Written | None) -> None:
    """Refuse a file that is not what was written, where that is known.

    Raises
    ------
    StoreError
        When it is another; the message names the file and the mend.
    """
    if (
        not written or not path.exists() or is_sound(path, written)
    ):  # one that is gone is told where it is opened
        return
    mend = "Store.rebuild makes it anew from the kept log"
    if path.name in ("log.parquet", "faulty.parquet"):
        mend = "Put back a copy of it, or load what it was made of into a new store"
    raise StoreError(f"{path} cannot be read: it is damaged. {mend}; journey-nb check tells what else is")
