"""Files appear whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from secrets import token_hex


@contextmanager
def whole(path: str | Path) -> Iterator[Path]:
    """Give a file of one's own beside ``path`` to write; it takes that place once it is complete.

    Whatever fails on the way leaves what stood there, and nothing beside it. Two writers at once never
    mix: the last one to finish stays.

    Raises
    ------
    FileNotFoundError
        When the folder is missing; the message names it.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with whole(f"{folder}/a.txt") as part:
    ...         _ = part.write_text("whole")
    ...     print([found.name for found in Path(folder).iterdir()], Path(folder, "a.txt").read_text())
    ['a.txt'] whole
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path.name}: there is no folder {path.parent}; make it first")
    # A short name of its own, for that of the target may leave no room for more.
    part = path.parent / f".part-{token_hex(8)}"
    try:
        part.touch(exist_ok=False)
        yield part
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
